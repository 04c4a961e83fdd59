#include "isa.h"
#include "matmul.h"

namespace taowa {
namespace TAOWA_ISA {
namespace {

bool Multiply(const Product& p, const Threads& threads) {
  threads.For(p.m, [&](int64_t i) {
    for (int64_t j = 0; j < p.n; ++j) {
      float sum = 0;
      for (int64_t k = 0; k < p.k; ++k) {
        sum += p.a[i * p.a_row + k * p.a_column] * p.b[k * p.b_row + j * p.b_column];
      }
      p.c[i * p.n + j] = sum;
    }
  });
  return true;
}

}  // namespace

const MatmulKernels matmul_kernels = {Multiply};

}  // namespace TAOWA_ISA
}  // namespace taowa
