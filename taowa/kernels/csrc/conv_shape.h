// The sizes of one 2-d convolution.

#ifndef TAOWA_CONV_SHAPE_H_
#define TAOWA_CONV_SHAPE_H_

#include <stdint.h>

namespace taowa {

// Images are (batch, height, width, channels), weights (out, in / groups, height, width).
struct ConvShape {
  int64_t batch, in_height, in_width, in_channels;
  int64_t out_height, out_width, out_channels;
  int64_t kernel_height, kernel_width;
  int64_t stride_height, stride_width;
  int64_t pad_top, pad_left;
  int64_t dilation_height, dilation_width;
  int64_t groups;
};

}  // namespace taowa

#endif  // TAOWA_CONV_SHAPE_H_
