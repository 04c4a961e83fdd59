// What differs between instruction sets: the width of a vector and a few operations on it.
//
// A file `*_kernels.cc` is compiled once for each instruction set, with TAOWA_ISA naming it; all
// that it defines lies in the namespace taowa::TAOWA_ISA. Such files use no templates or inline
// functions of the standard library: the linker would merge their copies, and an old processor
// might then run one with instructions that it does not have.

#ifndef TAOWA_ISA_H_
#define TAOWA_ISA_H_

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

namespace taowa {
namespace TAOWA_ISA {

constexpr int kRegisters = TAOWA_REGISTERS;
constexpr int kLanes = TAOWA_VECTOR_BYTES / sizeof(float);

typedef float Vec __attribute__((vector_size(TAOWA_VECTOR_BYTES)));
typedef float UnalignedVec
    __attribute__((vector_size(TAOWA_VECTOR_BYTES), aligned(sizeof(float)), may_alias));

inline Vec Load(const float* from) { return *reinterpret_cast<const UnalignedVec*>(from); }

inline void Store(float* to, Vec value) { *reinterpret_cast<UnalignedVec*>(to) = value; }

inline Vec Broadcast(float value) { return value - Vec{}; }

// The first `count` of kLanes values, zeros behind them; memory beyond is not touched.
inline Vec LoadFirst(const float* from, int count) {
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
#else
  Vec value = {};
  memcpy(&value, from, static_cast<size_t>(count) * sizeof(float));
  return value;
#endif
}

inline void StoreFirst(float* to, Vec value, int count) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), value);
#else
  memcpy(to, &value, static_cast<size_t>(count) * sizeof(float));
#endif
}

}  // namespace TAOWA_ISA
}  // namespace taowa

#endif  // TAOWA_ISA_H_
