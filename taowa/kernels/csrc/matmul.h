// float32 matrix products.

#ifndef TAOWA_MATMUL_H_
#define TAOWA_MATMUL_H_

#include <stdint.h>

#include "dispatch.h"
#include "parallel.h"

namespace taowa {

// Steps from row to row and from column to column; at least one of them is 1.
struct Matrix {
  const float* data;
  int64_t row, column;
};

// c = a b, `batch` times: a is m x k, b is k x n; c and the batches are dense, row by row.
struct Product {
  int64_t batch, m, n, k;
  Matrix a, b;
  float* c;
};

struct MatmulKernels {
  bool (*multiply)(const Product& product, const Threads& threads);  // false: no memory
};

}  // namespace taowa

TAOWA_KERNELS(MatmulKernels, matmul_kernels)

#endif  // TAOWA_MATMUL_H_
