// Convolution as a matrix product: rows are grid points (pixels to be computed), the depth is every
// tap of every input channel, columns are filters. The rows of a block are gathered from the image
// into the cache of the thread that multiplies them: a copy of each value serves all columns.

#include "conv_axis.h"
#include "conv_direct.h"

namespace taowa {
namespace TAOWA_ISA {
namespace {

enum Slots { kShared, kOwn };

constexpr int64_t kRowBlock = 48;     // grid points gathered at a time
constexpr int64_t kDepthBlock = 512;  // of a product
constexpr int64_t kLine = 16;         // floats; keeps rows off each other's cache sets

// Where the rows of a product come from: the taps of images.
struct Source {
  const float* images;
  int64_t batch, channels, first_channel, depth;  // of all groups, of this group
  Axis down, across;

  int64_t Points() const { return batch * down.grid * across.grid; }
  int64_t Depth() const { return down.taps * across.taps * depth; }
  // Neighbouring taps that lie side by side in memory are copied as one.
  int64_t RunTaps() const {
    return across.offset_step == 1 && depth == channels ? Max(1, across.taps) : 1;
  }
};

struct Point {  // of the grid: image, row, column
  Point(const Source& source, int64_t index)
      : image(index / (source.across.grid * source.down.grid)),
        row(index / source.across.grid % source.down.grid),
        column(index % source.across.grid) {}

  int64_t image, row, column;
};

// Copy from[first, first + count), with zeros outside of [low, high).
inline void CopyInside(const float* from, int64_t first, int64_t count, int64_t low, int64_t high,
                       float* to) {
  const int64_t begin = Min(Max(low - first, 0), count), end = Max(begin, Min(high - first, count));
  if (begin > 0) memset(to, 0, sizeof(float) * begin);
  if (end > begin) memcpy(to + begin, from + first + begin, sizeof(float) * (end - begin));
  if (count > end) memset(to + end, 0, sizeof(float) * (count - end));
}

// The values first .. first + count of one point's depth, which is [tap row][tap column][channel].
void GatherPoint(const Source& s, const Point& point, int64_t first, int64_t count, float* to) {
  const int64_t run = s.RunTaps(), run_floats = run * s.depth, runs = s.across.taps / run;
  while (count > 0) {
    const int64_t index = first / run_floats, inside = first % run_floats;
    const int64_t some = Min(count, run_floats - inside);
    const int64_t row = point.row * s.down.source_step + s.down.offset +
                        index / runs * s.down.offset_step;
    const int64_t column = point.column * s.across.source_step + s.across.offset +
                           index % runs * s.across.offset_step;
    if (row < 0 || row >= s.down.source) {
      memset(to, 0, sizeof(float) * some);
    } else if (run > 1) {
      const int64_t line = (point.image * s.down.source + row) * s.across.source;
      CopyInside(s.images + line * s.channels, column * s.depth + inside, some, 0,
                 s.across.source * s.depth, to);
    } else if (column < 0 || column >= s.across.source) {
      memset(to, 0, sizeof(float) * some);
    } else {
      const int64_t pixel = (point.image * s.down.source + row) * s.across.source + column;
      memcpy(to, s.images + pixel * s.channels + s.first_channel + inside, sizeof(float) * some);
    }
    to += some, first += some, count -= some;
  }
}

struct Range {
  int64_t first, count;
};

void Gather(const Source& source, Range points, Range depth, float* rows, int64_t row_step) {
  for (int64_t i = 0; i < points.count; ++i) {
    GatherPoint(source, Point(source, points.first + i), depth.first, depth.count,
                rows + i * row_step);
  }
}

// Filters as columns: w[column * column_step + channel * depth_step + tap].
struct Filters {
  const float* data;
  int64_t columns, column_step, depth_step;
};

// One group (and, towards the input, one phase) of a convolution.
struct Task {
  Source source;
  Filters filters;
  float* target;  // (batch, height, width, channels)
  int64_t height, width, channels, first_channel, kernel_width;
  float* packed;  // [panel][depth][kPanel]

  int64_t Panels() const { return DivideUp(filters.columns, kPanel); }
  int64_t PackedFloats() const { return Panels() * source.Depth() * kPanel; }
};

// packed[depth][kPanel] of one panel and one tap; zeros behind the last column.
void PackTap(const Task& task, int64_t panel, int64_t tap) {
  const Axis &down = task.source.down, &across = task.source.across;
  const int64_t row = down.first_tap + tap / across.taps * down.tap_step;
  const int64_t column = across.first_tap + tap % across.taps * across.tap_step;
  const Filters& w = task.filters;
  const int64_t first = panel * kPanel, columns = Min(kPanel, w.columns - first);
  const float* from = w.data + first * w.column_step + row * task.kernel_width + column;
  const int64_t depth = task.source.depth;
  float* to = task.packed + (panel * task.source.Depth() + tap * depth) * kPanel;
  constexpr int64_t kSome = 16;  // a line of the cache is read whole before it goes
  for (int64_t begin = 0; begin < depth; begin += kSome) {
    const int64_t end = Min(begin + kSome, depth);
    for (int64_t c = 0; c < kPanel; ++c) {
      const float* filter = from + c * w.column_step;
      for (int64_t k = begin; k < end; ++k) {
        to[k * kPanel + c] = c < columns ? filter[k * w.depth_step] : 0;
      }
    }
  }
}

// What a piece of work computes: some grid points, some panels.
struct Piece {
  Range points, panels;
};

void WriteTarget(const Task& task, const Piece& piece, const float* sums) {
  const Axis &down = task.source.down, &across = task.source.across;
  for (int64_t i = 0; i < piece.points.count; ++i) {
    const Point point(task.source, piece.points.first + i);
    const int64_t row = down.target_first + point.row * down.target_step;
    const int64_t column = across.target_first + point.column * across.target_step;
    const int64_t pixel = (point.image * task.height + row) * task.width + column;
    float* to = task.target + pixel * task.channels + task.first_channel;
    for (int64_t p = 0; p < piece.panels.count; ++p) {
      const int64_t first = (piece.panels.first + p) * kPanel;
      const float* from = sums + (p * piece.points.count + i) * kPanel;
      for (int64_t c = 0; c < kPanel && first + c < task.filters.columns; c += kLanes) {
        StoreSome(to + first + c, Load(from + c), task.filters.columns - first - c);
      }
    }
  }
}

constexpr int64_t kRowStep = kDepthBlock + kLine;

int64_t OwnFloats(int64_t panels) { return kRowBlock * (kRowStep + panels * kPanel); }

void ConvolvePiece(const Task& task, const Piece& piece, float* own) {
  float* sums = own + kRowBlock * kRowStep;  // [panel][point][kPanel]
  const int64_t depth = task.source.Depth(), points = piece.points.count;
  int64_t first = 0;
  do {  // once also where there is no tap at all: then sums are zero
    const int64_t some = Min(kDepthBlock, depth - first);
    Gather(task.source, piece.points, {first, some}, own, kRowStep);
    for (int64_t p = 0; p < piece.panels.count; ++p) {
      const float* b = task.packed + ((piece.panels.first + p) * depth + first) * kPanel;
      (first == 0 ? SetProduct : AddProduct)({own, kRowStep, 1}, b, points, some,
                                             sums + p * points * kPanel);
    }
    first += some;
  } while (first < depth);
  WriteTarget(task, piece, sums);
}

// Cuts points into blocks, and panels too where there are too few points for all threads.
struct Pieces {
  Pieces(const Task& task, int64_t tasks, int threads)
      : points(task.source.Points()), panels(task.Panels()) {
    const int64_t wanted = DivideUp(4 * threads, tasks);
    row_blocks = Max(DivideUp(points, kRowBlock), Min(wanted, DivideUp(points, kMaxRows)));
    panel_blocks = Min(panels, DivideUp(wanted, row_blocks));
    panels_each = DivideUp(panels, panel_blocks);
  }

  Piece At(int64_t index) const {
    const int64_t row = index % row_blocks, first = index / row_blocks * panels_each;
    const int64_t begin = row * points / row_blocks, end = (row + 1) * points / row_blocks;
    return {{begin, end - begin}, {first, Min(panels_each, panels - first)}};
  }

  int64_t points, panels, row_blocks, panel_blocks, panels_each;
};

bool Convolve(const Task& task, int64_t tasks, const Threads& threads) {
  const int64_t taps = task.source.down.taps * task.source.across.taps;
  const Pieces pieces(task, tasks, threads.count());
  threads.For(task.Panels() * taps, [&](int64_t i) { PackTap(task, i / taps, i % taps); });
  bool has_memory = true;
  threads.For(pieces.row_blocks * pieces.panel_blocks, [&](int64_t i) {
    float* own = Scratch(kOwn, OwnFloats(pieces.panels_each));
    if (own == nullptr) return __atomic_store_n(&has_memory, false, __ATOMIC_RELAXED);
    const Piece piece = pieces.At(i);
    if (piece.panels.count > 0) ConvolvePiece(task, piece, own);
  });
  return has_memory;
}

// Groups one after the other; towards the input, also the phases of a stride.
bool ConvolveTask(Task task, const Threads& threads) {
  task.source.down.DropIdleTaps();
  task.source.across.DropIdleTaps();
  if (task.source.Points() == 0 || task.filters.columns == 0) return true;
  task.packed = Scratch(kShared, task.PackedFloats() + 1);
  return task.packed != nullptr && Convolve(task, 1, threads);
}

bool Forward(const float* x, const float* w, float* y, const ConvShape& s,
             const Threads& threads) {
  const int64_t depth = s.in_channels / s.groups, columns = s.out_channels / s.groups;
  const int64_t taps = s.kernel_height * s.kernel_width;
  const Axis down = ForwardAxis(s.in_height, s.out_height, s.kernel_height, s.stride_height,
                                s.pad_top, s.dilation_height);
  const Axis across = ForwardAxis(s.in_width, s.out_width, s.kernel_width, s.stride_width,
                                  s.pad_left, s.dilation_width);
  for (int64_t g = 0; g < s.groups; ++g) {
    const Source source = {x, s.batch, s.in_channels, g * depth, depth, down, across};
    const Filters filters = {w + g * columns * depth * taps, columns, depth * taps, taps};
    const Task task = {source,         filters,     y,           s.out_height,   s.out_width,
                       s.out_channels, g * columns, s.kernel_width, nullptr};
    if (!ConvolveTask(task, threads)) return false;
  }
  return true;
}

bool InputPhase(const float* dy, const float* w, float* dx, const ConvShape& s, int64_t group,
                const Axis& down, const Axis& across, const Threads& threads) {
  const int64_t depth = s.out_channels / s.groups, columns = s.in_channels / s.groups;
  const int64_t taps = s.kernel_height * s.kernel_width;
  const Source source = {dy, s.batch, s.out_channels, group * depth, depth, down, across};
  const Filters filters = {w + group * columns * depth * taps, columns, taps, columns * taps};
  return ConvolveTask({source, filters, dx, s.in_height, s.in_width, s.in_channels,
                       group * columns, s.kernel_width, nullptr},
                      threads);
}

bool Input(const float* dy, const float* w, float* dx, const ConvShape& s,
           const Threads& threads) {
  for (int64_t row = 0; row < Min(s.stride_height, s.in_height); ++row) {
    const Axis down = InputAxis(s.in_height, s.out_height, s.kernel_height, s.stride_height,
                                s.pad_top, s.dilation_height, row);
    for (int64_t column = 0; column < Min(s.stride_width, s.in_width); ++column) {
      const Axis across = InputAxis(s.in_width, s.out_width, s.kernel_width, s.stride_width,
                                    s.pad_left, s.dilation_width, column);
      for (int64_t g = 0; g < s.groups; ++g) {
        if (!InputPhase(dy, w, dx, s, g, down, across, threads)) return false;
      }
    }
  }
  return true;
}

// The gradient towards the weights: rows are the depth, columns the output channels, and the sum
// goes over the grid points. A block of it stays in the cache while all points pass.
constexpr int64_t kWeightRows = 256, kWeightColumns = 128, kSumPoints = 128;
constexpr int64_t kWeightPanels = kWeightColumns / kPanel;
constexpr int64_t kWeightStep = kWeightRows + kLine;
constexpr int64_t kSumFloats = kWeightRows * kWeightColumns;  // [panel][row][kPanel]
constexpr int64_t kWeightOwnFloats = kSumPoints * (kWeightStep + kWeightColumns);

struct WeightTask {
  Source source;  // of group 0
  const float* dy;
  float* dw;
  int64_t out_channels, columns, groups, kernel_width, kernel_taps;

  int64_t RowBlocks() const { return DivideUp(source.Depth(), kWeightRows); }
  int64_t ColumnBlocks() const { return DivideUp(columns, kWeightColumns); }
  int64_t Blocks() const { return groups * RowBlocks() * ColumnBlocks(); }
};

struct WeightBlock {
  WeightBlock(const WeightTask& task, int64_t index)
      : group(index / (task.RowBlocks() * task.ColumnBlocks())) {
    const int64_t row = index % task.RowBlocks() * kWeightRows;
    const int64_t column = index / task.RowBlocks() % task.ColumnBlocks() * kWeightColumns;
    rows = {row, Min(kWeightRows, task.source.Depth() - row)};
    columns = {column, Min(kWeightColumns, task.columns - column)};
  }

  int64_t group;
  Range rows, columns;
};

// packed[point][kPanel] of some output channels, zeros behind the last one.
void PackCotangents(const WeightTask& task, Range points, Range columns, int64_t first,
                    float* packed) {
  const float* from = task.dy + points.first * task.out_channels + first;
  for (int64_t i = 0; i < points.count; ++i, from += task.out_channels, packed += kPanel) {
    for (int64_t c = 0; c < kPanel; c += kLanes) {
      const int64_t rest = columns.count - c;
      Store(packed + c, rest > 0 ? LoadSome(from + c, rest) : Vec{});
    }
  }
}

// sums = over a range of points, rows^T times cotangents
void SumBlock(const WeightTask& task, const WeightBlock& b, Range all, float* own, float* sums) {
  Source source = task.source;
  source.first_channel = b.group * source.depth;
  float* packed = own + kSumPoints * kWeightStep;
  const int64_t channel = b.group * task.columns + b.columns.first;
  const int64_t some = DivideUp(all.count, DivideUp(all.count, kSumPoints));  // of equal sizes
  for (int64_t begin = 0; begin < all.count; begin += some) {
    const Range points = {all.first + begin, Min(some, all.count - begin)};
    Gather(source, points, b.rows, own, kWeightStep);
    for (int64_t column = 0; column < b.columns.count; column += kPanel) {
      PackCotangents(task, points, {column, b.columns.count - column}, channel + column, packed);
      (begin == 0 ? SetProduct : AddProduct)({own, 1, kWeightStep}, packed, b.rows.count,
                                             points.count, sums + column * kWeightRows);
    }
  }
}

// dw of one block = the sum of all parts
void WriteBlock(const WeightTask& task, const WeightBlock& b, const float* sums, int64_t parts) {
  const Source& s = task.source;
  const int64_t filter_step = s.depth * task.kernel_taps;
  for (int64_t column = 0; column < b.columns.count; ++column) {
    const float* from = sums + column / kPanel * kWeightRows * kPanel + column % kPanel;
    float* filter = task.dw + (b.group * task.columns + b.columns.first + column) * filter_step;
    for (int64_t row = 0; row < b.rows.count; ++row, from += kPanel) {
      const int64_t tap = (b.rows.first + row) / s.depth, channel = (b.rows.first + row) % s.depth;
      float sum = from[0];
      for (int64_t i = 1; i < parts; ++i) sum += from[i * kSumFloats];
      filter[channel * task.kernel_taps + tap] = sum;
    }
  }
}

// Few blocks: the points of each are cut into parts, so that every thread has work.
int64_t NumParts(const WeightTask& task, int threads) {
  if (task.Blocks() >= 2 * threads) return 1;
  const int64_t most = DivideUp(task.source.Points(), 2 * kSumPoints);
  return Max(1, Min(most, DivideUp(4 * threads, task.Blocks())));
}

bool SumWeights(const WeightTask& task, const Threads& threads) {
  const int64_t blocks = task.Blocks(), parts = NumParts(task, threads.count());
  const int64_t points = task.source.Points();
  float* shared = Scratch(kShared, (parts > 1 ? blocks * parts : 0) * kSumFloats + 1);
  if (shared == nullptr) return false;
  bool has_memory = true;
  threads.For(blocks * parts, [&](int64_t i) {
    float* own = Scratch(kOwn, kWeightOwnFloats + (parts > 1 ? 0 : kSumFloats));
    if (own == nullptr) return __atomic_store_n(&has_memory, false, __ATOMIC_RELAXED);
    const WeightBlock block(task, i / parts);
    float* sums = parts > 1 ? shared + i * kSumFloats : own + kWeightOwnFloats;
    const int64_t first = i % parts * points / parts, last = (i % parts + 1) * points / parts;
    SumBlock(task, block, {first, last - first}, own, sums);
    if (parts == 1) WriteBlock(task, block, sums, 1);
  });
  if (parts == 1 || !has_memory) return has_memory;
  threads.For(blocks, [&](int64_t i) {
    WriteBlock(task, WeightBlock(task, i), shared + i * parts * kSumFloats, parts);
  });
  return true;
}

bool Weight(const float* x, const float* dy, float* dw, const ConvShape& s,
            const Threads& threads) {
  const int64_t depth = s.in_channels / s.groups, taps = s.kernel_height * s.kernel_width;
  const Axis down = ForwardAxis(s.in_height, s.out_height, s.kernel_height, s.stride_height,
                                s.pad_top, s.dilation_height);
  const Axis across = ForwardAxis(s.in_width, s.out_width, s.kernel_width, s.stride_width,
                                  s.pad_left, s.dilation_width);
  const Source source = {x, s.batch, s.in_channels, 0, depth, down, across};
  const WeightTask task = {source,         dy,       dw,
                           s.out_channels, s.out_channels / s.groups, s.groups,
                           s.kernel_width, taps};
  if (source.Points() == 0) memset(dw, 0, sizeof(float) * s.out_channels * depth * taps);
  return source.Points() == 0 || task.Blocks() == 0 || SumWeights(task, threads);
}

}  // namespace

extern const DirectKernels direct_kernels = {Forward, Input, Weight};

}  // namespace TAOWA_ISA
}  // namespace taowa
