// The transforms of Winograd's minimal filtering F(4x4, 3x3), a whole vector of channels at a time.
//
// A tile of 4x4 outputs comes from 6x6 inputs with 36 products instead of 144:
//   forward   y = A^T [ (G g G^T) * (B^T d B) ] A      where * is, over channels, a matrix product
//   weights   dg = G^T [ (B^T d B) * (A dy A^T) ] G    summed over tiles: the exact transpose
// Lavin & Gray 2015, https://arxiv.org/abs/1509.09308

#ifndef TAOWA_WINOGRAD_TRANSFORM_H_
#define TAOWA_WINOGRAD_TRANSFORM_H_

#include "conv_product.h"
#include "conv_shape.h"

namespace taowa {
namespace TAOWA_ISA {

constexpr int kPoints = 36, kTile = 4, kReach = 6, kTaps = 9;

// In one dimension: `from` is read every `step` vectors, `to` is written every `to_step`.
inline void TransformInput1d(const Vec* from, int step, Vec* to, int to_step) {  // B^T
  to[0] = 4.f * from[0] - 5.f * from[2 * step] + from[4 * step];
  Vec even = from[4 * step] - 4.f * from[2 * step], odd = from[3 * step] - 4.f * from[step];
  to[1 * to_step] = even + odd;
  to[2 * to_step] = even - odd;
  even = from[4 * step] - from[2 * step], odd = 2.f * (from[3 * step] - from[step]);
  to[3 * to_step] = even + odd;
  to[4 * to_step] = even - odd;
  to[5 * to_step] = 4.f * from[step] - 5.f * from[3 * step] + from[5 * step];
}

inline void TransformWeight1d(const Vec* from, int step, Vec* to, int to_step) {  // G
  Vec even = (from[0] + from[2 * step]) * (-1.f / 6), odd = from[step] * (1.f / 6);
  to[0] = from[0] * 0.25f;
  to[1 * to_step] = even - odd;
  to[2 * to_step] = even + odd;
  even = from[0] * (1.f / 24) + from[2 * step] * (1.f / 6), odd = from[step] * (1.f / 12);
  to[3 * to_step] = even + odd;
  to[4 * to_step] = even - odd;
  to[5 * to_step] = from[2 * step];
}

inline void TransformOutput1d(const Vec* from, int step, Vec* to, int to_step) {  // A^T
  const Vec near = from[step] + from[2 * step], near_odd = from[step] - from[2 * step];
  const Vec far = from[3 * step] + from[4 * step], far_odd = from[3 * step] - from[4 * step];
  to[0] = from[0] + near + far;
  to[1 * to_step] = near_odd + 2.f * far_odd;
  to[2 * to_step] = near + 4.f * far;
  to[3 * to_step] = near_odd + 8.f * far_odd + from[5 * step];
}

inline void SpreadOutput1d(const Vec* from, int step, Vec* to, int to_step) {  // A
  Vec even = from[0] + from[2 * step], odd = from[step] + from[3 * step];
  to[0] = from[0];
  to[1 * to_step] = even + odd;
  to[2 * to_step] = even - odd;
  even = from[0] + 4.f * from[2 * step], odd = 2.f * from[step] + 8.f * from[3 * step];
  to[3 * to_step] = even + odd;
  to[4 * to_step] = even - odd;
  to[5 * to_step] = from[3 * step];
}

inline void GatherWeight1d(const Vec* from, int step, Vec* to, int to_step) {  // G^T
  const Vec near = (from[step] + from[2 * step]) * (1.f / 6);
  const Vec far = from[3 * step] + from[4 * step], far_odd = from[3 * step] - from[4 * step];
  to[0] = from[0] * 0.25f - near + far * (1.f / 24);
  to[1 * to_step] = (from[2 * step] - from[step]) * (1.f / 6) + far_odd * (1.f / 12);
  to[2 * to_step] = far * (1.f / 6) - near + from[5 * step];
}

// All that follows works on tiles first .. first + count, numbered in rows, image by image.
struct Tiles {
  explicit Tiles(const ConvShape& s)
      : down(DivideUp(s.out_height, kTile)),
        across(DivideUp(s.out_width, kTile)),
        count(s.batch * down * across) {}

  int64_t down, across, count;
};

struct TileRange {
  int64_t first, count;
};

struct ChannelRange {
  int64_t first, count;
};

struct Place {  // of a tile: its image, its first output row and column
  Place(const Tiles& tiles, int64_t index)
      : image(index / (tiles.down * tiles.across)),
        row(index / tiles.across % tiles.down * kTile),
        column(index % tiles.across * kTile) {}

  int64_t image, row, column;
};

// Values at the 36 points: data[point * point_step + tile * tile_step + channel].
struct Planes {
  float* data;
  int64_t point_step, tile_step;
};

// The pixels that a tile reads; those outside of the image are `zeros`.
inline void FindPixels(const float* x, const ConvShape& s, const Place& place, int64_t channel,
                       const float* zeros, const float** pixels) {
  for (int i = 0; i < kReach; ++i) {
    const int64_t row = place.row - s.pad_top + i;
    for (int j = 0; j < kReach; ++j) {
      const int64_t column = place.column - s.pad_left + j;
      const bool is_inside = row >= 0 && row < s.in_height && column >= 0 && column < s.in_width;
      const int64_t pixel = (place.image * s.in_height + row) * s.in_width + column;
      pixels[i * kReach + j] = is_inside ? x + pixel * s.in_channels + channel : zeros;
    }
  }
}

// B^T d B of one vector of channels; `d` is overwritten.
inline void TransformInput(Vec* d, float* to, int64_t point_step) {
#pragma GCC unroll 6
  for (int i = 0; i < kReach; ++i) {
    Vec row[kReach];
    TransformInput1d(d + i * kReach, 1, row, 1);
#pragma GCC unroll 6
    for (int j = 0; j < kReach; ++j) d[i * kReach + j] = row[j];
  }
#pragma GCC unroll 6
  for (int j = 0; j < kReach; ++j) {
    Vec column[kReach];
    TransformInput1d(d + j, kReach, column, 1);
#pragma GCC unroll 6
    for (int i = 0; i < kReach; ++i) Store(to + (i * kReach + j) * point_step, column[i]);
  }
}

// v = B^T d B. Planes hold whole vectors: behind the last channel are zeros.
inline void TransformInputs(const float* x, const ConvShape& s, const Tiles& tiles, TileRange range,
                            ChannelRange channels, const float* zeros, Planes v) {
  for (int64_t t = 0; t < range.count; ++t) {
    const float* pixels[kPoints];
    FindPixels(x, s, Place(tiles, range.first + t), channels.first, zeros, pixels);
    float* to = v.data + t * v.tile_step;
    for (int64_t c = 0; c < channels.count; c += kLanes) {
      Vec d[kPoints];
      const int64_t rest = channels.count - c;
      if (rest >= kLanes) {
#pragma GCC unroll 36
        for (int p = 0; p < kPoints; ++p) d[p] = Load(pixels[p] + c);
      } else {
        for (int p = 0; p < kPoints; ++p) d[p] = LoadFirst(pixels[p] + c, static_cast<int>(rest));
      }
      TransformInput(d, to + c, v.point_step);
    }
  }
}

struct Corner {  // where a tile lies in the output, and how much of it lies inside
  Corner(const ConvShape& s, const Place& place)
      : pixel((place.image * s.out_height + place.row) * s.out_width + place.column),
        rows(Min(kTile, s.out_height - place.row)),
        columns(Min(kTile, s.out_width - place.column)) {}

  int64_t pixel, rows, columns;
};

// y = A^T m A. At most a panel of channels.
inline void TransformOutputs(Planes m, float* y, const ConvShape& s, const Tiles& tiles,
                             TileRange range, ChannelRange channels) {
  for (int64_t t = 0; t < range.count; ++t) {
    const Corner corner(s, Place(tiles, range.first + t));
    for (int64_t c = 0; c < channels.count; c += kLanes) {
      const float* from = m.data + t * m.tile_step + c;
      Vec half[kTile * kReach], out[kTile * kTile];
#pragma GCC unroll 6
      for (int j = 0; j < kReach; ++j) {
        Vec column[kReach];
#pragma GCC unroll 6
        for (int i = 0; i < kReach; ++i) column[i] = Load(from + (i * kReach + j) * m.point_step);
        TransformOutput1d(column, 1, half + j, kReach);
      }
#pragma GCC unroll 4
      for (int i = 0; i < kTile; ++i) {
        TransformOutput1d(half + i * kReach, 1, out + i * kTile, 1);
      }
      float* to = y + corner.pixel * s.out_channels + channels.first + c;
      for (int64_t i = 0; i < corner.rows; ++i) {
        for (int64_t j = 0; j < corner.columns; ++j) {
          float* pixel = to + (i * s.out_width + j) * s.out_channels;
          StoreSome(pixel, out[i * kTile + j], channels.count - c);
        }
      }
    }
  }
}

// z = A dy A^T of a panel of channels, zeros behind the last one.
inline void SpreadOutputs(const float* dy, const ConvShape& s, const Tiles& tiles, TileRange range,
                          ChannelRange channels, Planes z) {
  for (int64_t t = 0; t < range.count; ++t) {
    const Corner corner(s, Place(tiles, range.first + t));
    for (int64_t c = 0; c < kPanel; c += kLanes) {
      Vec y[kTile * kTile] = {}, half[kTile * kReach];
      const float* from = dy + corner.pixel * s.out_channels + channels.first + c;
      for (int64_t i = 0; c < channels.count && i < corner.rows; ++i) {
        for (int64_t j = 0; j < corner.columns; ++j) {
          const float* pixel = from + (i * s.out_width + j) * s.out_channels;
          y[i * kTile + j] = LoadSome(pixel, channels.count - c);
        }
      }
#pragma GCC unroll 4
      for (int i = 0; i < kTile; ++i) SpreadOutput1d(y + i * kTile, 1, half + i * kReach, 1);
      float* to = z.data + t * z.tile_step + c;
#pragma GCC unroll 6
      for (int j = 0; j < kReach; ++j) {
        Vec column[kReach];
        SpreadOutput1d(half + j, kReach, column, 1);
#pragma GCC unroll 6
        for (int i = 0; i < kReach; ++i) Store(to + (i * kReach + j) * z.point_step, column[i]);
      }
    }
  }
}

// Filters as columns of a product: w[column * column_step + depth * depth_step + tap].
struct Filters {
  const float* data;
  int64_t columns, column_step, depth_step;
  bool is_mirrored;
};

// Copy filters to taps[depth][9][kPanel], zeros behind the last column.
inline void PackTaps(const Filters& w, int64_t first_column, int64_t first_depth, int64_t depth,
                     float* taps) {
  const int64_t columns = Min(kPanel, w.columns - first_column);
  if (columns < kPanel) memset(taps, 0, sizeof(float) * depth * kTaps * kPanel);
  const float* from = w.data + first_column * w.column_step + first_depth * w.depth_step;
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t k = 0; k < depth; ++k) {
      const float* filter = from + c * w.column_step + k * w.depth_step;
      float* to = taps + k * kTaps * kPanel + c;
      for (int tap = 0; tap < kTaps; ++tap) {
        to[(w.is_mirrored ? kTaps - 1 - tap : tap) * kPanel] = filter[tap];
      }
    }
  }
}

// u[point][depth][kPanel] = G g G^T, where u.tile_step is the step of the depth.
inline void TransformFilters(const Filters& w, int64_t first_column, int64_t first_depth,
                             int64_t depth, Planes u) {
  constexpr int64_t kSome = 16;
  alignas(64) float taps[kSome * kTaps * kPanel];
  for (int64_t k = 0; k < depth; ++k) {
    if (k % kSome == 0) {
      PackTaps(w, first_column, first_depth + k, Min(kSome, depth - k), taps);
    }
    const float* filter = taps + k % kSome * kTaps * kPanel;
    for (int64_t c = 0; c < kPanel; c += kLanes) {
      Vec g[kTaps], half[kReach * 3];
#pragma GCC unroll 9
      for (int tap = 0; tap < kTaps; ++tap) g[tap] = Load(filter + tap * kPanel + c);
#pragma GCC unroll 3
      for (int j = 0; j < 3; ++j) TransformWeight1d(g + j, 3, half + j, 3);
      float* to = u.data + k * u.tile_step + c;
#pragma GCC unroll 6
      for (int i = 0; i < kReach; ++i) {
        Vec row[kReach];
        TransformWeight1d(half + i * 3, 1, row, 1);
#pragma GCC unroll 6
        for (int j = 0; j < kReach; ++j) Store(to + (i * kReach + j) * u.point_step, row[j]);
      }
    }
  }
}

}  // namespace TAOWA_ISA
}  // namespace taowa

#endif  // TAOWA_WINOGRAD_TRANSFORM_H_
