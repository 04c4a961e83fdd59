// Handlers: what XLA calls.
//
// A file defines `ffi::Error Multiply(ffi::ThreadPool pool, ...)` and says
//     TAOWA_HANDLER("taowa.matmul", Multiply, ffi::Ffi::Bind().Ctx<ffi::ThreadPool>()...)
// once; the library lists it to Python, which registers it with XLA. Handlers throw nothing: they
// return ffi::Error.

#ifndef TAOWA_HANDLER_H_
#define TAOWA_HANDLER_H_

#include "parallel.h"
#include "xla/ffi/api/ffi.h"

namespace taowa {

namespace ffi = ::xla::ffi;

struct Handler {
  Handler(const char* name, XLA_FFI_Handler* function);

  const char* name;
  XLA_FFI_Handler* function;
  const Handler* next;
};

// The threads of a call: `PoolThreads pool(thread_pool); pool.threads().For(...)`.
class PoolThreads {
 public:
  explicit PoolThreads(ffi::ThreadPool& pool)
      : scheduler_{&pool, static_cast<int>(pool.num_threads()), Schedule}, threads_(&scheduler_) {}

  const Threads& threads() const { return threads_; }

 private:
  static void Schedule(void* pool, void (*task)(void*), void* data) {
    static_cast<ffi::ThreadPool*>(pool)->Schedule([task, data] { task(data); });
  }

  Scheduler scheduler_;
  Threads threads_;
};

}  // namespace taowa

// Defines and lists the handler `name` that decodes a call by `binding` and passes it to `function`.
#define TAOWA_HANDLER(name, function, binding)                    \
  static XLA_FFI_Error* function##Handler(XLA_FFI_CallFrame* frame) { \
    static auto* handler = (binding).To(function).release();      \
    return handler->Call(frame);                                  \
  }                                                               \
  static const ::taowa::Handler function##Listed(name, function##Handler)

#endif  // TAOWA_HANDLER_H_
