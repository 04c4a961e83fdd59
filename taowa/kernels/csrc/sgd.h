// One step of stochastic gradient descent.

#ifndef TAOWA_SGD_H_
#define TAOWA_SGD_H_

#include <stdint.h>

#include "dispatch.h"

namespace taowa {

// The numbers of a step, alike for all its parameters.
struct SgdNumbers {
  float lr, momentum, fresh, decay;
  bool is_first;  // the buffer becomes the gradient
  bool is_nesterov, is_maximizing;
};

// One stretch of a parameter; results may lie where their old values do.
struct SgdPiece {
  int64_t size;
  const float *param, *grad, *buffer;  // buffer: null without momentum
  float *new_param, *new_buffer;
};

struct SgdKernels {
  void (*update)(const SgdNumbers& numbers, const SgdPiece& piece);
};

}  // namespace taowa

TAOWA_KERNELS(SgdKernels, sgd_kernels)

#endif  // TAOWA_SGD_H_
