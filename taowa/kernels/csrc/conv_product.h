// The small matrix product under all convolutions: some rows times a panel of columns.

#ifndef TAOWA_CONV_PRODUCT_H_
#define TAOWA_CONV_PRODUCT_H_

#include "isa.h"

namespace taowa {
namespace TAOWA_ISA {

// A panel is so wide, and at most so many rows are so many, that their sums stay in registers.
constexpr int kPanelVectors = 2;
constexpr int kPanel = kPanelVectors * kLanes;
constexpr int kMaxRows = kRegisters == 32 ? 12 : 6;

inline int64_t Min(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t Max(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t RoundUp(int64_t a, int64_t b) { return DivideUp(a, b) * b; }

// At most kLanes values; `count` may be larger.
inline Vec LoadSome(const float* from, int64_t count) {
  return count >= kLanes ? Load(from) : LoadFirst(from, static_cast<int>(count));
}
inline void StoreSome(float* to, Vec value, int64_t count) {
  if (count >= kLanes) return Store(to, value);
  StoreFirst(to, value, static_cast<int>(count));
}

// One operand: element (row or column i, depth k) lies at data[i * step + k * depth_step].
struct Rows {
  const float* data;
  int64_t step, depth_step;
};

// c[r][0..kPanel) = (kAdd ? itself : 0) + sum over k < depth of a(r, k) * b[k][0..kPanel)
// What is there already is added last: a long sum of short sums is more exact than one long sum.
template <int kRows, bool kAdd>
void MultiplyRows(Rows a, const float* b, int64_t depth, float* c) {
  Vec sum[kRows][kPanelVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kPanelVectors; ++v) {
      if (kAdd) __builtin_prefetch(c + r * kPanel + v * kLanes, 1);
      sum[r][v] = Vec{};
    }
  }
  for (int64_t k = 0; k < depth; ++k) {
    Vec column[kPanelVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kPanelVectors; ++v) column[v] = Load(b + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kPanelVectors; ++v) sum[r][v] += a.data[r * a.step] * column[v];
    }
    a.data += a.depth_step;
    b += kPanel;
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kPanelVectors; ++v) {
      float* to = c + r * kPanel + v * kLanes;
      Store(to, kAdd ? Load(to) + sum[r][v] : sum[r][v]);
    }
  }
}

typedef void (*RowsFunction)(Rows a, const float* b, int64_t depth, float* c);

// Strips of about equal height: a last one of one row would waste the processor's pipelines.
inline void Multiply(const RowsFunction* of_height, Rows a, const float* b, int64_t rows,
                     int64_t depth, float* c) {
  int64_t row = 0;
  for (int64_t strips = DivideUp(rows, kMaxRows); strips > 0; --strips) {
    const int64_t height = DivideUp(rows - row, strips);
    of_height[height]({a.data + row * a.step, a.step, a.depth_step}, b, depth, c + row * kPanel);
    row += height;
  }
}

template <bool kAdd>
struct RowsFunctions {
  static constexpr RowsFunction of_height[kMaxRows + 1] = {
      nullptr,
      MultiplyRows<1, kAdd>,
      MultiplyRows<2, kAdd>,
      MultiplyRows<3, kAdd>,
      MultiplyRows<4, kAdd>,
      MultiplyRows<5, kAdd>,
      MultiplyRows<6, kAdd>,
#if TAOWA_REGISTERS == 32
      MultiplyRows<7, kAdd>,
      MultiplyRows<8, kAdd>,
      MultiplyRows<9, kAdd>,
      MultiplyRows<10, kAdd>,
      MultiplyRows<11, kAdd>,
      MultiplyRows<12, kAdd>,
#endif
  };
};

// c[rows][kPanel] = a[rows][depth] * b[depth][kPanel]
inline void SetProduct(Rows a, const float* b, int64_t rows, int64_t depth, float* c) {
  Multiply(RowsFunctions<false>::of_height, a, b, rows, depth, c);
}

// c[rows][kPanel] += a[rows][depth] * b[depth][kPanel]
inline void AddProduct(Rows a, const float* b, int64_t rows, int64_t depth, float* c) {
  Multiply(RowsFunctions<true>::of_height, a, b, rows, depth, c);
}

}  // namespace TAOWA_ISA
}  // namespace taowa

#endif  // TAOWA_CONV_PRODUCT_H_
