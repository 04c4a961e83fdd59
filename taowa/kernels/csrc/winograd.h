// Convolutions of 3x3, stride 1, dilation 1 and one group by Winograd's minimal filtering.

#ifndef TAOWA_WINOGRAD_H_
#define TAOWA_WINOGRAD_H_

#include "conv_shape.h"
#include "dispatch.h"
#include "parallel.h"

namespace taowa {

// Each returns false when there is no memory.
struct WinogradKernels {
  bool (*forward)(const float* x, const float* w, float* y, const ConvShape&, const Threads&);
  bool (*input)(const float* dy, const float* w, float* dx, const ConvShape&, const Threads&);
  bool (*weight)(const float* x, const float* dy, float* dw, const ConvShape&, const Threads&);
};

}  // namespace taowa

TAOWA_KERNELS(WinogradKernels, winograd_kernels)

#endif  // TAOWA_WINOGRAD_H_
