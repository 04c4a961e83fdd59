// float32 matrix products.

#ifndef TAOWA_MATMUL_H_
#define TAOWA_MATMUL_H_

#include <stdint.h>

#include "dispatch.h"
#include "parallel.h"

namespace taowa {

// c = a b for matrices of m x k and k x n, with one step between the rows and one between the
// columns of each operand (so that either may be transposed); c is dense, row by row.
struct Product {
  int64_t m, n, k;
  const float* a;
  int64_t a_row, a_column;
  const float* b;
  int64_t b_row, b_column;
  float* c;
};

struct MatmulKernels {
  bool (*multiply)(const Product& product, const Threads& threads);  // false: no memory
};

}  // namespace taowa

TAOWA_KERNELS(MatmulKernels, matmul_kernels)

#endif  // TAOWA_MATMUL_H_
