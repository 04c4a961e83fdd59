// The choice of an instruction set at run time.
//
// A kernel's header declares a struct of function pointers and says
//     TAOWA_KERNELS(MatmulKernels, matmul_kernels)
// and its `*_kernels.cc` defines `const MatmulKernels matmul_kernels` in taowa::TAOWA_ISA.
// `taowa::matmul_kernels()` is then the one for the instruction set in use.

#ifndef TAOWA_DISPATCH_H_
#define TAOWA_DISPATCH_H_

namespace taowa {

enum class Isa { portable, avx2, avx512, neon };

// The instruction set in use: the best one of this processor, or the one that was set.
Isa CurrentIsa();

}  // namespace taowa

#if defined(__x86_64__)
#define TAOWA_KERNELS(Type, name)                      \
  namespace taowa {                                    \
  namespace portable { extern const Type name; }       \
  namespace avx2 { extern const Type name; }           \
  namespace avx512 { extern const Type name; }         \
  inline const Type& name() {                          \
    switch (CurrentIsa()) {                            \
      case Isa::avx512: return avx512::name;           \
      case Isa::avx2: return avx2::name;               \
      default: return portable::name;                  \
    }                                                  \
  }                                                    \
  }
#elif defined(__aarch64__)
#define TAOWA_KERNELS(Type, name)                                                             \
  namespace taowa {                                                                           \
  namespace portable { extern const Type name; }                                              \
  namespace neon { extern const Type name; }                                                  \
  inline const Type& name() { return CurrentIsa() == Isa::neon ? neon::name : portable::name; } \
  }
#else
#define TAOWA_KERNELS(Type, name)                      \
  namespace taowa {                                    \
  namespace portable { extern const Type name; }       \
  inline const Type& name() { return portable::name; } \
  }
#endif

#endif  // TAOWA_DISPATCH_H_
