// One dimension of a convolution as a sum of taps, forward or towards the input.

#ifndef TAOWA_CONV_AXIS_H_
#define TAOWA_CONV_AXIS_H_

#include "conv_product.h"

namespace taowa {
namespace TAOWA_ISA {

// Grid point i is written to pixel target(i) = target_first + i * target_step; it is the sum over t
// < taps of source pixel i * source_step + offset + t * offset_step times tap first_tap + t *
// tap_step of the filter.
struct Axis {
  int64_t source, grid, source_step, target_first, target_step;
  int64_t taps, first_tap, tap_step, offset, offset_step;

  bool Meets(int64_t t) const {  // whether a tap ever lies on the image
    const int64_t first = offset + t * offset_step;
    return first < source && first + (grid - 1) * source_step >= 0;
  }

  void DropIdleTaps() {  // those at the ends that meet nothing but padding
    while (taps > 0 && !Meets(taps - 1)) --taps;
    while (taps > 0 && !Meets(0)) --taps, first_tap += tap_step, offset += offset_step;
  }
};

inline Axis ForwardAxis(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t pad,
                        int64_t dilation) {
  return {in, out, stride, 0, 1, kernel, 0, 1, -pad, dilation};
}

// The input pixels phase, phase + stride, ...: output pixel o = (i + pad - k * dilation) / stride
// meets input pixel i by tap k where that division leaves no rest. Offsets increase as taps fall.
inline Axis InputAxis(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t pad,
                      int64_t dilation, int64_t phase) {
  Axis axis = {out, DivideUp(in - phase, stride), 1, phase, stride, 0, 0, 0, 0, 0};
  for (int64_t k = 0; k < kernel; ++k) {
    if ((phase + pad - k * dilation) % stride != 0) continue;
    if (axis.taps > 0) axis.tap_step = axis.first_tap - k;  // negative, always the same
    axis.first_tap = k;
    ++axis.taps;
  }
  axis.offset = (phase + pad - axis.first_tap * dilation) / stride;
  axis.offset_step = -axis.tap_step * dilation / stride;
  return axis;
}

}  // namespace TAOWA_ISA
}  // namespace taowa

#endif  // TAOWA_CONV_AXIS_H_
