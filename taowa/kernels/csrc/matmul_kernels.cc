// float32 matrix products by packed panels.
//
// One operand, the *wide* one, is packed into panels of kWide columns, so that a row of a panel is
// a few vectors; of the other, the *tall* one, single numbers are broadcast. A tile of the result,
// kTall x kWide, is accumulated in registers over a stretch of the inner dimension, adding to the
// result what later stretches give. Every number of the result is one sum in one order, whatever
// the number of threads.
//
// c' = b' a' is computed instead of c = a b where that spares transposing the larger operand.

#include "isa.h"
#include "matmul.h"

namespace taowa {
namespace TAOWA_ISA {
namespace {

constexpr int kVectors = 2;
constexpr int kWide = kVectors * kLanes;
constexpr int kTall = (kRegisters - 4) / kVectors;  // 14 of 32 registers, 6 of 16
constexpr int64_t kDepth = 384;                     // a tall panel of this depth fits into L1
constexpr int64_t kBlock = 192 * 1024;              // packed floats that stay in L2
constexpr int kRowStep = kDepth + 16;               // between the rows of a tall panel
constexpr int kColumnStep = 16;                     // between the columns of a transposed one
constexpr int64_t kInPlaceHeight = 5 * kTall;
constexpr int64_t kMinPiece = 1 << 18;              // multiplications worth a piece of their own
constexpr int64_t kPiecesPerThread = 4;

int64_t Min(int64_t a, int64_t b) { return a < b ? a : b; }
int64_t Max(int64_t a, int64_t b) { return a > b ? a : b; }
int64_t Ceil(int64_t a, int64_t b) { return (a + b - 1) / b; }

const float* At(const Matrix& x, int64_t i, int64_t j) {
  return x.data + i * x.row + j * x.column;
}

Matrix From(const Matrix& x, int64_t i, int64_t j) { return {At(x, i, j), x.row, x.column}; }

Matrix Transposed(const Matrix& x) { return {x.data, x.column, x.row}; }

// c (rows x columns) = or += a (rows x depth) b (depth x kWide).
struct Tile {
  int64_t depth;
  const float* a;
  const float* b;
  int64_t b_step;  // between the rows of b
  float* c;
  int64_t c_step;
  int columns;  // of c; where they are fewer than b's, b is padded with zeros
  bool add;
};

template <int rows, int vectors, int row_step, int step>
void MultiplyTile(const Tile& tile) {
  Vec sum[rows][vectors] = {};
  const float* a = tile.a;
  const float* b = tile.b;
  for (int64_t k = 0; k < tile.depth; ++k, a += step, b += tile.b_step) {
    Vec wide[vectors];
#pragma GCC unroll 16
    for (int v = 0; v < vectors; ++v) wide[v] = Load(b + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      const Vec number = Broadcast(a[r * row_step]);
#pragma GCC unroll 16
      for (int v = 0; v < vectors; ++v) sum[r][v] += number * wide[v];
    }
  }
  const int last = tile.columns - (vectors - 1) * kLanes;
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r) {
    float* c = tile.c + r * tile.c_step;
#pragma GCC unroll 16
    for (int v = 0; v < vectors; ++v, c += kLanes) {
      if (v == vectors - 1 && last < kLanes) {
        StoreFirst(c, tile.add ? LoadFirst(c, last) + sum[r][v] : sum[r][v], last);
      } else {
        Store(c, tile.add ? Load(c) + sum[r][v] : sum[r][v]);
      }
    }
  }
}

typedef void (*TileKernel)(const Tile&);

template <int row_step, int step, int rows>
constexpr void FillTable(TileKernel (*table)[kVectors]) {
  table[rows - 1][0] = MultiplyTile<rows, 1, row_step, step>;
  table[rows - 1][1] = MultiplyTile<rows, 2, row_step, step>;
  if constexpr (rows > 1) FillTable<row_step, step, rows - 1>(table);
}

struct TileKernels {
  TileKernel by_rows[kTall][kVectors] = {};
  TileKernel by_columns[kTall][kVectors] = {};

  constexpr TileKernels() {
    FillTable<kRowStep, 1, kTall>(by_rows);
    FillTable<1, kColumnStep, kTall>(by_columns);
  }
};

constexpr TileKernels tile_kernels;

// Numbers of the halves of x and y, low or high, in turn: x0 y0 x1 y1 ...
template <bool high>
inline Vec Interleave(Vec x, Vec y) {
#if defined(__clang__)
  Vec result;
  for (int i = 0; i < kLanes; ++i) result[i] = (i % 2 ? y : x)[i / 2 + (high ? kLanes / 2 : 0)];
  return result;
#else
  typedef int Index __attribute__((vector_size(TAOWA_VECTOR_BYTES)));
  Index index;
  for (int i = 0; i < kLanes; ++i) {
    index[i] = i / 2 + (i % 2) * kLanes + (high ? kLanes / 2 : 0);
  }
  return __builtin_shuffle(x, y, index);
#endif
}

// Transposes a square of kLanes x kLanes: each of log2(kLanes) rounds interleaves the rows that lie
// half the square apart.
void TransposeSquare(const float* from, int64_t from_step, float* to, int64_t to_step) {
  Vec x[kLanes], y[kLanes];
  for (int i = 0; i < kLanes; ++i) x[i] = Load(from + i * from_step);
  for (int width = 1; width < kLanes; width *= 2) {
    for (int i = 0; i < kLanes / 2; ++i) {
      y[2 * i] = Interleave<false>(x[i], x[i + kLanes / 2]);
      y[2 * i + 1] = Interleave<true>(x[i], x[i + kLanes / 2]);
    }
    for (int i = 0; i < kLanes; ++i) x[i] = y[i];
  }
  for (int i = 0; i < kLanes; ++i) Store(to + i * to_step, x[i]);
}

// to (columns x rows) = from' for a matrix whose rows are contiguous.
void Transpose(const float* from, int64_t from_step, int64_t rows, int64_t columns, float* to,
               int64_t to_step) {
  int64_t i = 0;
  for (; i + kLanes <= rows; i += kLanes) {
    int64_t j = 0;
    for (; j + kLanes <= columns; j += kLanes) {
      TransposeSquare(from + i * from_step + j, from_step, to + j * to_step + i, to_step);
    }
    for (; j < columns; ++j) {
      for (int r = 0; r < kLanes; ++r) to[j * to_step + i + r] = from[(i + r) * from_step + j];
    }
  }
  for (; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) to[j * to_step + i] = from[i * from_step + j];
  }
}

// Packs depth x columns (at most kWide) numbers of the wide operand, zeros to their right.
void PackWide(const Matrix& wide, int64_t depth, int columns, float* to) {
  if (wide.row == 1 && wide.column != 1) {
    if (columns < kWide) memset(to, 0, static_cast<size_t>(depth) * kWide * sizeof(float));
    Transpose(wide.data, wide.column, columns, depth, to, kWide);
    return;
  }
  for (int64_t k = 0; k < depth; ++k, to += kWide) {
    const float* from = wide.data + k * wide.row;
    if (columns == kWide) {
      for (int v = 0; v < kVectors; ++v) Store(to + v * kLanes, Load(from + v * kLanes));
      continue;
    }
    for (int v = 0; v < kVectors; ++v) {
      const int64_t count = Max(0, Min(kLanes, columns - v * kLanes));
      Store(to + v * kLanes, LoadFirst(from + v * kLanes, static_cast<int>(count)));
    }
  }
}

void CopyFloats(const float* from, int64_t count, float* to) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) Store(to + i, Load(from + i));
  StoreFirst(to + i, LoadFirst(from + i, static_cast<int>(count - i)), static_cast<int>(count - i));
}

// Copies rows x depth numbers of the tall operand to where the tile kernels expect them.
const TileKernel* PackTall(const Matrix& tall, int rows, int64_t depth, float* to) {
  if (tall.column == 1) {
    for (int r = 0; r < rows; ++r) CopyFloats(tall.data + r * tall.row, depth, to + r * kRowStep);
    return tile_kernels.by_rows[rows - 1];
  }
  for (int64_t k = 0; k < depth; ++k) {
    CopyFloats(tall.data + k * tall.column, rows, to + k * kColumnStep);
  }
  return tile_kernels.by_columns[rows - 1];
}

// One stretch of the inner dimension and one block of the wide operand's columns.
struct Block {
  Matrix tall, wide;       // from the block's first row or column on
  int64_t height, width;   // of the result
  int64_t depth;
  float* c;                // the result's first number in the block
  int64_t c_step;
  bool add, transposed;    // transposed: c is (width x height)
  bool in_place;           // full panels of the wide operand are read where they are
  float* packed;
  int64_t num_groups;      // groups of column panels: pieces = row panels x groups
  int64_t ready;           // packed panels so far
  bool failed;

  int64_t num_panels() const { return Ceil(width, kWide); }
  int64_t num_row_panels() const { return Ceil(height, kTall); }
  bool IsPacked(int64_t panel) const { return !in_place || (panel + 1) * kWide > width; }
  int64_t num_pieces() const { return num_panels() + num_row_panels() * num_groups; }
};

void PackPanel(Block& block, int64_t panel) {
  const int64_t first = panel * kWide;
  if (block.IsPacked(panel)) {
    const int columns = static_cast<int>(Min(kWide, block.width - first));
    PackWide(From(block.wide, 0, first), block.depth, columns, block.packed + first * block.depth);
  }
  __atomic_add_fetch(&block.ready, 1, __ATOMIC_RELEASE);
}

// Packing is taken before all else, so whoever waits here waits for running threads only.
void WaitUntilPacked(const Block& block) {
  while (__atomic_load_n(&block.ready, __ATOMIC_ACQUIRE) < block.num_panels()) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
}

void MultiplyPiece(const Block& block, int64_t row_panel, int64_t group, float* scratch) {
  const int64_t panels = block.num_row_panels();
  const int64_t first_row = row_panel * block.height / panels;
  const int rows = static_cast<int>((row_panel + 1) * block.height / panels - first_row);
  const int64_t first = group * block.num_panels() / block.num_groups;
  const int64_t end = (group + 1) * block.num_panels() / block.num_groups;
  float* tall = scratch;
  float* sums = scratch + kTall * kRowStep;
  for (int64_t k = 0; k < block.depth; k += kDepth) {
    const int64_t depth = Min(kDepth, block.depth - k);
    const TileKernel* kernels = PackTall(From(block.tall, first_row, k), rows, depth, tall);
    for (int64_t panel = first; panel < end; ++panel) {
      const int64_t column = panel * kWide;
      Tile tile;
      tile.depth = depth;
      tile.a = tall;
      const bool is_packed = block.IsPacked(panel);
      tile.b = is_packed ? block.packed + column * block.depth + k * kWide
                         : At(block.wide, k, column);
      tile.b_step = is_packed ? kWide : block.wide.row;
      tile.columns = static_cast<int>(Min(kWide, block.width - column));
      tile.add = k > 0 || block.add;
      tile.c = block.c + first_row * block.c_step + column;
      tile.c_step = block.c_step;
      if (block.transposed) {
        tile.c = sums + (column - first * kWide) * kTall;
        tile.c_step = kWide;
      }
      kernels[tile.columns > kLanes ? 1 : 0](tile);
    }
  }
  if (!block.transposed) return;
  for (int64_t panel = first; panel < end; ++panel) {
    const int64_t column = panel * kWide;
    Transpose(sums + (column - first * kWide) * kTall, kWide, rows,
              Min(kWide, block.width - column), block.c + column * block.c_step + first_row,
              block.c_step);
  }
}

void RunPiece(Block& block, int64_t index) {
  if (index < block.num_panels()) {
    PackPanel(block, index);
    return;
  }
  WaitUntilPacked(block);
  index -= block.num_panels();
  const int64_t row_panel = index % block.num_row_panels();
  const int64_t group = index / block.num_row_panels();
  const int64_t panels = Ceil(block.num_panels(), block.num_groups) + 1;
  const int64_t sums = block.transposed ? panels * kWide * kTall : 0;
  float* scratch = Scratch(1, static_cast<size_t>(kTall * kRowStep + kDepth * kColumnStep + sums));
  if (scratch == nullptr) {
    __atomic_store_n(&block.failed, true, __ATOMIC_RELAXED);
    return;
  }
  MultiplyPiece(block, row_panel, group, scratch);
}

bool MultiplyBlock(Block& block, const Threads& threads) {
  const int64_t work = block.height * block.width * block.depth;
  const int64_t wanted = threads.count() > 1 ? Min(Ceil(work, kMinPiece), kPiecesPerThread * threads.count()) : 1;
  block.num_groups = Min(block.num_panels(), Ceil(wanted, block.num_row_panels()));
  block.ready = 0;
  block.failed = false;
  if (work < 2 * kMinPiece) {
    for (int64_t i = 0; i < block.num_pieces(); ++i) RunPiece(block, i);
  } else {
    threads.For(block.num_pieces(), [&](int64_t i) { RunPiece(block, i); });
  }
  return !block.failed;
}

// One product c = a b; `c_step` numbers lie between the rows of c.
struct Plan {
  Matrix tall, wide;
  int64_t height, width, depth;  // of the tall operand, of the wide one, and of the sums
  bool transposed;               // c' = b' a' is computed
  int64_t block_depth, block_width;
};

// Chooses the operands' roles and the blocks; nothing here may depend on the number of threads.
Plan MakePlan(const Product& p) {
  Plan plan = {p.a, p.b, p.m, p.n, p.k, false, p.k, 0};
  // Both are contiguous along the inner dimension: one must be transposed, so the smaller one.
  const bool must_transpose = p.a.column == 1 && p.b.row == 1;
  if (must_transpose && p.m < p.n && p.m >= kLanes && p.k * kWide <= kBlock) {
    plan = {Transposed(p.b), Transposed(p.a), p.n, p.m, p.k, true, p.k, 0};
  } else {
    const int64_t columns = Ceil(p.n, kWide) * kWide;
    plan.block_depth = Min(p.k, Max(1, kBlock / columns / kDepth) * kDepth);
  }
  plan.block_width = Min(Ceil(plan.width, kWide), Max(1, kBlock / plan.block_depth / kWide)) * kWide;
  return plan;
}

bool MultiplyOne(const Product& p, float* c, const Threads& threads) {
  const Plan plan = MakePlan(p);
  Block block;
  block.packed = Scratch(0, static_cast<size_t>(plan.block_depth * plan.block_width));
  if (block.packed == nullptr) return false;
  block.height = plan.height;
  block.c_step = p.n;
  block.transposed = plan.transposed;
  // Too few rows to pay for packing.
  block.in_place = plan.wide.column == 1 && plan.height <= kInPlaceHeight;
  for (int64_t j = 0; j < plan.width; j += plan.block_width) {
    block.width = Min(plan.block_width, plan.width - j);
    block.c = c + (plan.transposed ? j * p.n : j);
    for (int64_t k = 0; k < plan.depth; k += plan.block_depth) {
      block.depth = Min(plan.block_depth, plan.depth - k);
      block.tall = From(plan.tall, 0, k);
      block.wide = From(plan.wide, k, j);
      block.add = k > 0;
      if (!MultiplyBlock(block, threads)) return false;
    }
  }
  return true;
}

bool MultiplyItem(const Product& p, int64_t item, const Threads& threads) {
  Product one = p;
  one.a.data += item * p.m * p.k;
  one.b.data += item * p.k * p.n;
  return MultiplyOne(one, p.c + item * p.m * p.n, threads);
}

bool Multiply(const Product& p, const Threads& threads) {
  if (p.m == 0 || p.n == 0) return true;
  if (p.k == 0) {
    memset(p.c, 0, static_cast<size_t>(p.batch * p.m * p.n) * sizeof(float));
    return true;
  }
  bool failed = false;
  if (p.batch < kPiecesPerThread * threads.count()) {
    for (int64_t i = 0; i < p.batch && !failed; ++i) failed = !MultiplyItem(p, i, threads);
    return !failed;
  }
  const Threads alone(nullptr);
  threads.For(p.batch, [&](int64_t i) {
    if (!MultiplyItem(p, i, alone)) __atomic_store_n(&failed, true, __ATOMIC_RELAXED);
  });
  return !failed;
}

}  // namespace

const MatmulKernels matmul_kernels = {Multiply};

}  // namespace TAOWA_ISA
}  // namespace taowa
