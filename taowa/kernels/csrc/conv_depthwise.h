// Convolutions of each channel with a filter of its own.

#ifndef TAOWA_CONV_DEPTHWISE_H_
#define TAOWA_CONV_DEPTHWISE_H_

#include "conv_shape.h"
#include "dispatch.h"
#include "parallel.h"

namespace taowa {

// Each returns false when there is no memory.
struct DepthwiseKernels {
  bool (*forward)(const float* x, const float* w, float* y, const ConvShape&, const Threads&);
  bool (*input)(const float* dy, const float* w, float* dx, const ConvShape&, const Threads&);
  bool (*weight)(const float* x, const float* dy, float* dw, const ConvShape&, const Threads&);
};

}  // namespace taowa

TAOWA_KERNELS(DepthwiseKernels, depthwise_kernels)

#endif  // TAOWA_CONV_DEPTHWISE_H_
