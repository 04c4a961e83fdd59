// What Python asks the library: its version, instruction sets, settings and handlers.

#include <atomic>
#include <cstring>

#include "dispatch.h"
#include "handler.h"
#include "parallel.h"

#define TAOWA_EXPORT extern "C" __attribute__((visibility("default")))

namespace taowa {
namespace {

constexpr const char* kNames[] = {"portable", "avx2", "avx512", "neon"};
constexpr int kNumIsas = 4;

bool IsSupported(Isa isa) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == Isa::avx2) return avx2;
  if (isa == Isa::avx512) {
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  }
#elif defined(__aarch64__)
  if (isa == Isa::neon) return true;
#endif
  return isa == Isa::portable;
}

Isa Best() {
  for (Isa isa : {Isa::avx512, Isa::avx2, Isa::neon}) {
    if (IsSupported(isa)) return isa;
  }
  return Isa::portable;
}

std::atomic<Isa>& Chosen() {
  static std::atomic<Isa> chosen{Best()};
  return chosen;
}

// A plain pointer: handlers of other files are listed before or after this file is initialised.
const Handler* first_handler = nullptr;

}  // namespace

Isa CurrentIsa() { return Chosen().load(std::memory_order_relaxed); }

Handler::Handler(const char* name, XLA_FFI_Handler* function)
    : name(name), function(function), next(first_handler) {
  first_handler = this;
}

}  // namespace taowa

// The version of XLA's foreign-function interface that the library was built for.
TAOWA_EXPORT int taowa_ffi_version() { return XLA_FFI_API_MAJOR * 1000 + XLA_FFI_API_MINOR; }

TAOWA_EXPORT const char* taowa_isa() {
  return taowa::kNames[static_cast<int>(taowa::CurrentIsa())];
}

// The name of instruction set `index` if this machine has it, "" if not, null after the last one.
TAOWA_EXPORT const char* taowa_isa_name(int index) {
  if (index >= taowa::kNumIsas) return nullptr;
  return taowa::IsSupported(static_cast<taowa::Isa>(index)) ? taowa::kNames[index] : "";
}

// Chooses an instruction set by its number; the caller has checked that the machine has it.
TAOWA_EXPORT void taowa_set_isa(int index) { taowa::Chosen().store(static_cast<taowa::Isa>(index)); }

TAOWA_EXPORT void taowa_set_max_threads(int count) { taowa::SetMaxThreads(count); }

// The handlers, one after the other: null gives the first, null is behind the last.
TAOWA_EXPORT const void* taowa_next_handler(const void* handler) {
  return handler == nullptr ? taowa::first_handler
                            : static_cast<const taowa::Handler*>(handler)->next;
}

TAOWA_EXPORT const char* taowa_handler_name(const void* handler) {
  return static_cast<const taowa::Handler*>(handler)->name;
}

TAOWA_EXPORT void* taowa_handler_function(const void* handler) {
  return reinterpret_cast<void*>(static_cast<const taowa::Handler*>(handler)->function);
}
