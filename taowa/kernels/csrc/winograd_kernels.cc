// The three passes of a 3x3 convolution by F(4x4, 3x3). What a thread works on stays in its cache:
// a block of tiles is transformed, multiplied and transformed back at once.

#include "winograd.h"

#include "winograd_transform.h"

namespace taowa {
namespace TAOWA_ISA {
namespace {

enum Slots { kShared, kOwn };

constexpr int64_t kMaxTiles = 48;             // of a block
constexpr int64_t kDepthBlock = 64;           // channels whose filters are transformed at a time
constexpr int64_t kCacheFloats = 160 << 10;   // what a block may take of the second-level cache
constexpr int64_t kLine = 16;                 // floats; keeps planes off each other's cache sets

// One convolution, or the gradient of one: filters are columns, input channels the depth.
struct Task {
  const float* x;
  Filters filters;
  float* y;
  ConvShape s;
  Tiles tiles;
  int64_t panels, tile_step;
  float* zeros;

  ChannelRange Panel(int64_t index) const {
    return {index * kPanel, Min(kPanel, s.out_channels - index * kPanel)};
  }
};

// Many tiles: `u` are all filters, each block of tiles goes from end to end.
void ConvolveTiles(const Task& task, const float* u, TileRange range, float* own) {
  const int64_t depth = task.s.in_channels;
  Planes v = {own, range.count * task.tile_step + kLine, task.tile_step};
  Planes m = {own + kPoints * v.point_step, range.count * kPanel + kLine, kPanel};
  TransformInputs(task.x, task.s, task.tiles, range, {0, depth}, task.zeros, v);
  for (int64_t panel = 0; panel < task.panels; ++panel) {
    for (int p = 0; p < kPoints; ++p) {
      SetProduct({v.data + p * v.point_step, v.tile_step, 1}, u, range.count, depth,
                 m.data + p * m.point_step);
      u += depth * kPanel;
    }
    TransformOutputs(m, task.y, task.s, task.tiles, range, task.Panel(panel));
  }
}

int64_t TilesPerBlock(const Task& task, int threads) {
  const int64_t fitting = kCacheFloats / (kPoints * (task.tile_step + kPanel));
  const int64_t block = Max(kMaxRows, Min(kMaxTiles, fitting / kMaxRows * kMaxRows));
  return Min(block, DivideUp(task.tiles.count, 2 * threads));
}

bool ConvolveByTiles(Task task, const Threads& threads) {
  const int64_t depth = task.s.in_channels, u_floats = task.panels * kPoints * depth * kPanel;
  float* u = Scratch(kShared, u_floats + task.tile_step);
  if (u == nullptr) return false;
  task.zeros = u + u_floats;
  memset(task.zeros, 0, sizeof(float) * task.tile_step);
  const int64_t depth_blocks = DivideUp(depth, kDepthBlock);
  threads.For(task.panels * depth_blocks, [&](int64_t i) {
    const int64_t panel = i / depth_blocks, first = i % depth_blocks * kDepthBlock;
    float* to = u + (panel * kPoints * depth + first) * kPanel;
    TransformFilters(task.filters, panel * kPanel, first, Min(kDepthBlock, depth - first),
                     {to, depth * kPanel, kPanel});
  });
  const int64_t block = TilesPerBlock(task, threads.count());
  const int64_t own_floats = kPoints * (block * (task.tile_step + kPanel) + 2 * kLine);
  bool has_memory = true;
  threads.For(DivideUp(task.tiles.count, block), [&](int64_t i) {
    float* own = Scratch(kOwn, own_floats);
    if (own == nullptr) return __atomic_store_n(&has_memory, false, __ATOMIC_RELAXED);
    ConvolveTiles(task, u, {i * block, Min(block, task.tiles.count - i * block)}, own);
  });
  return has_memory;
}

// Many channels: `v` are all tiles, filters are transformed where they are used.
void ConvolvePanel(const Task& task, Planes v, TileRange range, int64_t panel, float* own) {
  const int64_t depth = task.s.in_channels;
  Planes u = {own, kDepthBlock * kPanel, kPanel};
  Planes m = {own + kPoints * u.point_step, range.count * kPanel + kLine, kPanel};
  for (int64_t first = 0; first < depth; first += kDepthBlock) {
    const int64_t some = Min(kDepthBlock, depth - first);
    TransformFilters(task.filters, panel * kPanel, first, some, u);
    for (int p = 0; p < kPoints; ++p) {
      const float* rows = v.data + p * v.point_step + range.first * v.tile_step + first;
      (first == 0 ? SetProduct : AddProduct)({rows, v.tile_step, 1}, u.data + p * u.point_step,
                                             range.count, some, m.data + p * m.point_step);
    }
  }
  TransformOutputs(m, task.y, task.s, task.tiles, range, task.Panel(panel));
}

bool ConvolveByChannels(Task task, const Threads& threads) {
  constexpr int64_t kSome = 4;  // tiles transformed in one piece
  const int64_t count = task.tiles.count;
  Planes v = {nullptr, count * task.tile_step + kLine, task.tile_step};
  v.data = Scratch(kShared, kPoints * v.point_step + task.tile_step);
  if (v.data == nullptr) return false;
  task.zeros = v.data + kPoints * v.point_step;
  memset(task.zeros, 0, sizeof(float) * task.tile_step);
  threads.For(DivideUp(count, kSome), [&](int64_t i) {
    const Planes some = {v.data + i * kSome * v.tile_step, v.point_step, v.tile_step};
    TransformInputs(task.x, task.s, task.tiles, {i * kSome, Min(kSome, count - i * kSome)},
                    {0, task.s.in_channels}, task.zeros, some);
  });
  const int64_t blocks = DivideUp(count, kMaxTiles), block = DivideUp(count, blocks);
  const int64_t own_floats = kPoints * ((kDepthBlock + block) * kPanel + kLine);
  bool has_memory = true;
  threads.For(task.panels * blocks, [&](int64_t i) {
    float* own = Scratch(kOwn, own_floats);
    if (own == nullptr) return __atomic_store_n(&has_memory, false, __ATOMIC_RELAXED);
    const int64_t first = i % blocks * block;
    if (first < count) ConvolvePanel(task, v, {first, Min(block, count - first)}, i / blocks, own);
  });
  return has_memory;
}

bool Convolve(const float* x, const Filters& filters, float* y, const ConvShape& s,
              const Threads& threads) {
  const Tiles tiles(s);
  if (tiles.count == 0 || s.out_channels == 0) return true;
  const Task task = {x,     filters, y, s, tiles, DivideUp(s.out_channels, kPanel),
                     RoundUp(s.in_channels, kLanes), nullptr};
  // The larger operand of the products is not kept whole.
  const bool by_channels = tiles.count < s.out_channels;
  return by_channels ? ConvolveByChannels(task, threads) : ConvolveByTiles(task, threads);
}

bool Forward(const float* x, const float* w, float* y, const ConvShape& s,
             const Threads& threads) {
  const int64_t filter_step = s.in_channels * kTaps;
  return Convolve(x, {w, s.out_channels, filter_step, kTaps, false}, y, s, threads);
}

// The convolution of dy with mirrored filters, the channels' parts exchanged.
bool Input(const float* dy, const float* w, float* dx, const ConvShape& s,
           const Threads& threads) {
  ConvShape t = s;
  t.in_height = s.out_height, t.in_width = s.out_width, t.in_channels = s.out_channels;
  t.out_height = s.in_height, t.out_width = s.in_width, t.out_channels = s.in_channels;
  t.pad_top = 2 - s.pad_top, t.pad_left = 2 - s.pad_left;
  const int64_t filter_step = s.in_channels * kTaps;
  return Convolve(dy, {w, s.in_channels, kTaps, filter_step, true}, dx, t, threads);
}

// A block of dw: input channels are the rows, output channels the columns.
struct Block {
  ChannelRange rows, columns;
};

constexpr int64_t kRowBlock = 32, kColumnBlock = 32, kPanels = kColumnBlock / kPanel;
constexpr int64_t kSumStep = kRowBlock * kPanel + kLine;  // sums[panel][point][row][kPanel]
constexpr int64_t kSumFloats = kPanels * kPoints * kSumStep;
constexpr int64_t kSumTiles = 64;  // tiles summed at a time
constexpr Planes kInputs = {nullptr, kSumTiles * kRowBlock + kLine, kRowBlock};
constexpr Planes kOutputs = {nullptr, kSumTiles * kPanel + kLine, kPanel};
constexpr int64_t kOwnFloats = kPoints * (kInputs.point_step + kOutputs.point_step);

struct WeightTask {
  const float *x, *dy;
  float* dw;
  ConvShape s;
  Tiles tiles;
  float* zeros;

  int64_t RowBlocks() const { return DivideUp(s.in_channels, kRowBlock); }
  int64_t Blocks() const { return RowBlocks() * DivideUp(s.out_channels, kColumnBlock); }

  Block At(int64_t index) const {
    const int64_t row = index % RowBlocks() * kRowBlock, column = index / RowBlocks() * kColumnBlock;
    return {{row, Min(kRowBlock, s.in_channels - row)},
            {column, Min(kColumnBlock, s.out_channels - column)}};
  }
};

// sums = over the tiles of a range, (B^T d B)^T (A dy A^T)
void SumProducts(const WeightTask& task, const Block& b, TileRange all, float* own, float* sums) {
  Planes v = kInputs, z = kOutputs;
  v.data = own, z.data = own + kPoints * v.point_step;
  for (int64_t begin = 0; begin < all.count; begin += kSumTiles) {
    const TileRange range = {all.first + begin, Min(kSumTiles, all.count - begin)};
    TransformInputs(task.x, task.s, task.tiles, range, b.rows, task.zeros, v);
    for (int64_t panel = 0; panel * kPanel < b.columns.count; ++panel) {
      const int64_t column = panel * kPanel;
      SpreadOutputs(task.dy, task.s, task.tiles, range,
                    {b.columns.first + column, Min(kPanel, b.columns.count - column)}, z);
      for (int p = 0; p < kPoints; ++p) {
        const Rows rows = {v.data + p * v.point_step, 1, v.tile_step};
        (begin == 0 ? SetProduct : AddProduct)(rows, z.data + p * z.point_step, b.rows.count,
                                               range.count,
                                               sums + (panel * kPoints + p) * kSumStep);
      }
    }
  }
}

// g[tap] of one row and one vector of columns = G^T (the sum of all parts) G
void GatherWeight(const float* sums, int64_t parts, Vec* g) {
  Vec d[kPoints], half[3 * kReach];
  for (int p = 0; p < kPoints; ++p) {
    d[p] = Load(sums + p * kSumStep);
    for (int64_t i = 1; i < parts; ++i) d[p] += Load(sums + p * kSumStep + i * kSumFloats);
  }
#pragma GCC unroll 6
  for (int j = 0; j < kReach; ++j) GatherWeight1d(d + j, kReach, half + j, kReach);
#pragma GCC unroll 3
  for (int i = 0; i < 3; ++i) GatherWeight1d(half + i * kReach, 1, g + i * 3, 1);
}

void WriteBlock(const WeightTask& task, const Block& b, const float* sums, int64_t parts) {
  const int64_t filter_step = task.s.in_channels * kTaps;
  for (int64_t column = 0; column < b.columns.count; column += kLanes) {
    const float* panel = sums + column / kPanel * kPoints * kSumStep + column % kPanel;
    const int64_t lanes = Min(kLanes, b.columns.count - column);
    for (int64_t row = 0; row < b.rows.count; ++row) {
      Vec g[kTaps];
      GatherWeight(panel + row * kPanel, parts, g);
      float* to = task.dw + (b.columns.first + column) * filter_step;
      to += (b.rows.first + row) * kTaps;
      for (int64_t lane = 0; lane < lanes; ++lane) {
        for (int tap = 0; tap < kTaps; ++tap) to[lane * filter_step + tap] = g[tap][lane];
      }
    }
  }
}

// Few blocks: the tiles of each are cut into parts, so that every thread has work.
int64_t NumParts(const WeightTask& task, int threads) {
  if (task.Blocks() >= 2 * threads) return 1;
  const int64_t most = DivideUp(task.tiles.count, kSumTiles);
  return Max(1, Min(most, DivideUp(4 * threads, task.Blocks())));
}

bool Weight(const float* x, const float* dy, float* dw, const ConvShape& s,
            const Threads& threads) {
  WeightTask task = {x, dy, dw, s, Tiles(s), nullptr};
  if (task.tiles.count == 0) {
    memset(dw, 0, sizeof(float) * s.out_channels * s.in_channels * kTaps);
    return true;
  }
  const int64_t blocks = task.Blocks(), parts = NumParts(task, threads.count());
  const int64_t sums_floats = parts > 1 ? blocks * parts * kSumFloats : 0;
  float* shared = Scratch(kShared, sums_floats + kRowBlock);
  if (shared == nullptr) return false;
  task.zeros = shared + sums_floats;
  memset(task.zeros, 0, sizeof(float) * kRowBlock);
  const int64_t count = task.tiles.count;
  bool has_memory = true;
  threads.For(blocks * parts, [&](int64_t i) {
    float* own = Scratch(kOwn, kOwnFloats + (parts > 1 ? 0 : kSumFloats));
    if (own == nullptr) return __atomic_store_n(&has_memory, false, __ATOMIC_RELAXED);
    float* sums = parts > 1 ? shared + i * kSumFloats : own + kOwnFloats;
    const int64_t first = i % parts * count / parts, last = (i % parts + 1) * count / parts;
    SumProducts(task, task.At(i / parts), {first, last - first}, own, sums);
    if (parts == 1) WriteBlock(task, task.At(i), sums, 1);
  });
  if (parts == 1 || !has_memory) return has_memory;
  threads.For(blocks, [&](int64_t i) {
    WriteBlock(task, task.At(i), shared + i * parts * kSumFloats, parts);
  });
  return true;
}

}  // namespace

extern const WinogradKernels winograd_kernels = {Forward, Input, Weight};

}  // namespace TAOWA_ISA
}  // namespace taowa
