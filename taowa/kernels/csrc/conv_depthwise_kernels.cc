// Depthwise convolution: no products of matrices, only channels side by side in vectors.

#include "conv_axis.h"
#include "conv_depthwise.h"

namespace taowa {
namespace TAOWA_ISA {
namespace {

enum Slots { kShared };

// A pass over pixels: target pixel = sum over taps of source pixel times packed[tap][channel].
struct Task {
  const float* source;
  const float* packed;
  float* target;  // (batch, height, width, channels)
  int64_t height, width, channels, kernel_width;
  Axis down, across;
};

struct Taps {  // those that lie inside for grid point i
  Taps(const Axis& axis, int64_t i) : first(0), last(axis.taps) {
    start = i * axis.source_step + axis.offset;
    while (first < last && start + first * axis.offset_step < 0) ++first;
    while (first < last && start + (last - 1) * axis.offset_step >= axis.source) --last;
  }

  int64_t start, first, last;  // where tap 0 lies; first .. last
};

// kPixels sums from one pixel to the next, of one vector of channels; `source` and `packed` are
// those of that vector. All pixels have the same taps inside.
template <int kPixels, bool kIsWhole>
void SumTaps(const Task& task, const float* source, const float* packed, const Taps& rows,
             const Taps& columns, int count, float* target) {
  const Axis &down = task.down, &across = task.across;
  const int64_t step = across.source_step * task.channels;
  const int64_t target_step = across.target_step * task.channels;
  Vec sum[kPixels] = {};
  for (int64_t r = rows.first; r < rows.last; ++r) {
    const int64_t line = (rows.start + r * down.offset_step) * across.source;
    const int64_t filter = (down.first_tap + r * down.tap_step) * task.kernel_width;
    for (int64_t c = columns.first; c < columns.last; ++c) {
      const float* pixel =
          source + (line + columns.start + c * across.offset_step) * task.channels;
      const float* from = packed + (filter + across.first_tap + c * across.tap_step) * task.channels;
      const Vec tap = kIsWhole ? Load(from) : LoadFirst(from, count);
#pragma GCC unroll 4
      for (int p = 0; p < kPixels; ++p) {
        sum[p] += (kIsWhole ? Load(pixel + p * step) : LoadFirst(pixel + p * step, count)) * tap;
      }
    }
  }
  for (int p = 0; p < kPixels; ++p, target += target_step) {
    if (kIsWhole) {
      Store(target, sum[p]);
    } else {
      StoreFirst(target, sum[p], count);
    }
  }
}

// One vector of channels of one row.
template <bool kIsWhole>
void ConvolveLine(const Task& task, const float* source, const float* packed, const Taps& rows,
                  int count, float* target) {
  constexpr int kPixels = 4;
  const int64_t step = task.across.target_step * task.channels;
  for (int64_t i = 0; i < task.across.grid;) {
    const Taps columns(task.across, i);
    const int64_t last = columns.start + (kPixels - 1) * task.across.source_step +
                         (task.across.taps - 1) * task.across.offset_step;
    const bool is_inside = columns.start >= 0 && last < task.across.source;
    if (is_inside && i + kPixels <= task.across.grid) {
      SumTaps<kPixels, kIsWhole>(task, source, packed, rows, columns, count, target + i * step);
      i += kPixels;
    } else {
      SumTaps<1, kIsWhole>(task, source, packed, rows, columns, count, target + i * step);
      ++i;
    }
  }
}

void ConvolveRow(const Task& task, int64_t index) {
  const int64_t image = index / task.down.grid, row = index % task.down.grid;
  const Taps rows(task.down, row);
  const int64_t line = task.down.target_first + row * task.down.target_step;
  const float* source = task.source + image * task.down.source * task.across.source * task.channels;
  const int64_t first = (image * task.height + line) * task.width + task.across.target_first;
  float* target = task.target + first * task.channels;
  int64_t c = 0;
  for (; c + kLanes <= task.channels; c += kLanes) {
    ConvolveLine<true>(task, source + c, task.packed + c, rows, kLanes, target + c);
  }
  if (c < task.channels) {
    const int count = static_cast<int>(task.channels - c);
    ConvolveLine<false>(task, source + c, task.packed + c, rows, count, target + c);
  }
}

// packed[tap][channel] of filters w[channel][tap]; null if there is no memory.
const float* PackFilters(const float* w, const ConvShape& s) {
  const int64_t taps = s.kernel_height * s.kernel_width;
  float* packed = Scratch(kShared, taps * s.in_channels + 1);
  if (packed == nullptr) return nullptr;
  for (int64_t c = 0; c < s.in_channels; ++c) {
    for (int64_t tap = 0; tap < taps; ++tap) packed[tap * s.in_channels + c] = w[c * taps + tap];
  }
  return packed;
}

Axis ForwardDown(const ConvShape& s) {
  return ForwardAxis(s.in_height, s.out_height, s.kernel_height, s.stride_height, s.pad_top,
                     s.dilation_height);
}

Axis ForwardAcross(const ConvShape& s) {
  return ForwardAxis(s.in_width, s.out_width, s.kernel_width, s.stride_width, s.pad_left,
                     s.dilation_width);
}

void ConvolveRows(const Task& task, int64_t batch, const Threads& threads) {
  threads.For(batch * task.down.grid, [&](int64_t i) { ConvolveRow(task, i); });
}

bool Forward(const float* x, const float* w, float* y, const ConvShape& s,
             const Threads& threads) {
  const float* packed = PackFilters(w, s);
  if (packed == nullptr) return false;
  ConvolveRows({x, packed, y, s.out_height, s.out_width, s.out_channels, s.kernel_width,
                ForwardDown(s), ForwardAcross(s)},
               s.batch, threads);
  return true;
}

bool Input(const float* dy, const float* w, float* dx, const ConvShape& s,
           const Threads& threads) {
  const float* packed = PackFilters(w, s);
  if (packed == nullptr) return false;
  for (int64_t row = 0; row < Min(s.stride_height, s.in_height); ++row) {
    for (int64_t column = 0; column < Min(s.stride_width, s.in_width); ++column) {
      const Axis down = InputAxis(s.in_height, s.out_height, s.kernel_height, s.stride_height,
                                  s.pad_top, s.dilation_height, row);
      const Axis across = InputAxis(s.in_width, s.out_width, s.kernel_width, s.stride_width,
                                    s.pad_left, s.dilation_width, column);
      ConvolveRows({dy, packed, dx, s.in_height, s.in_width, s.in_channels, s.kernel_width, down,
                    across},
                   s.batch, threads);
    }
  }
  return true;
}

struct WeightTask {
  const float *x, *dy;
  ConvShape s;
  Axis down, across;
};

// Grid points i for which tap `t` lies inside: first .. last.
struct Points {
  Points(const Axis& axis, int64_t t) : first(0), last(axis.grid) {
    start = axis.offset + t * axis.offset_step;
    while (first < last && start + first * axis.source_step < 0) ++first;
    while (first < last && start + (last - 1) * axis.source_step >= axis.source) --last;
  }

  int64_t start, first, last;
};

// sums[tap][channel] += over one row of the output, the pixels that a tap meets times cotangents.
void SumRow(const WeightTask& task, int64_t image, int64_t row, float* sums) {
  const int64_t channels = task.s.in_channels;
  const float* dy = task.dy + (image * task.down.grid + row) * task.across.grid * channels;
  const Taps rows(task.down, row);
  for (int64_t r = rows.first; r < rows.last; ++r) {
    const int64_t line = image * task.down.source + rows.start + r * task.down.offset_step;
    const float* x = task.x + line * task.across.source * channels;
    for (int64_t t = 0; t < task.across.taps; ++t) {
      const Points points(task.across, t);
      float* to = sums + (r * task.across.taps + t) * channels;
      for (int64_t c = 0; c < channels; c += kLanes) {
        const int64_t count = channels - c, step = task.across.source_step * channels;
        const float* pixel = x + (points.start + points.first * task.across.source_step) * channels;
        const float* cotangent = dy + points.first * channels + c;
        Vec sum = LoadSome(to + c, count);
        for (int64_t i = points.first; i < points.last; ++i, pixel += step, cotangent += channels) {
          sum += LoadSome(pixel + c, count) * LoadSome(cotangent, count);
        }
        StoreSome(to + c, sum, count);
      }
    }
  }
}

bool Weight(const float* x, const float* dy, float* dw, const ConvShape& s,
            const Threads& threads) {
  const WeightTask task = {x, dy, s, ForwardDown(s), ForwardAcross(s)};
  const int64_t taps = s.kernel_height * s.kernel_width, size = taps * s.in_channels;
  const int64_t rows = s.batch * s.out_height, parts = Min(rows, 4 * threads.count());
  float* sums = Scratch(kShared, parts * size + 1);  // [part][tap][channel]
  if (sums == nullptr) return false;
  threads.For(parts, [&](int64_t part) {
    memset(sums + part * size, 0, sizeof(float) * size);
    for (int64_t i = part * rows / parts; i < (part + 1) * rows / parts; ++i) {
      SumRow(task, i / s.out_height, i % s.out_height, sums + part * size);
    }
  });
  for (int64_t c = 0; c < s.in_channels; ++c) {
    for (int64_t tap = 0; tap < taps; ++tap) {
      float sum = 0;
      for (int64_t part = 0; part < parts; ++part) sum += sums[part * size + tap * s.in_channels + c];
      dw[c * taps + tap] = sum;
    }
  }
  return true;
}

}  // namespace

extern const DepthwiseKernels depthwise_kernels = {Forward, Input, Weight};

}  // namespace TAOWA_ISA
}  // namespace taowa
