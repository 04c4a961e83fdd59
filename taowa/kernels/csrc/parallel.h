// Work on several threads: those of XLA's own pool, and the one that calls.

#ifndef TAOWA_PARALLEL_H_
#define TAOWA_PARALLEL_H_

#include <stddef.h>
#include <stdint.h>

namespace taowa {

// Runs `task(data)` some time on another thread.
struct Scheduler {
  void* state;
  int num_threads;  // the pool's
  void (*schedule)(void* state, void (*task)(void*), void* data);
};

class Threads {
 public:
  explicit Threads(const Scheduler* scheduler);

  // How many threads take part at most, the calling one included.
  int count() const;

  // Calls piece(data, i) for all i < num_pieces, and returns when all have returned.
  //
  // Which thread runs which piece is not defined, so what a piece computes must not depend on it;
  // then results depend on nothing but how the caller cut the work. The calling thread takes
  // pieces itself and waits only for those that another thread is already running. It therefore
  // never waits for a thread of the pool to become free, whoever calls it.
  void Run(int64_t num_pieces, void (*piece)(void* data, int64_t index), void* data) const;

  // The same for a callable: `threads.For(n, [&](int64_t i) { ... })`.
  template <typename Piece>
  void For(int64_t num_pieces, const Piece& piece) const {
    auto call = [](void* data, int64_t index) { (*static_cast<const Piece*>(data))(index); };
    Run(num_pieces, call, const_cast<Piece*>(&piece));
  }

 private:
  const Scheduler* scheduler_;
  int count_;
};

// An upper bound on the threads of all later calls; 0 = as many as the pool has.
void SetMaxThreads(int count);

// This thread's own scratch memory number `slot` (< 4), at least so large, aligned to 64 bytes,
// with no defined contents. It stays valid until the same thread asks for the same slot again.
// Null if there is no memory.
float* Scratch(int slot, size_t num_floats);

}  // namespace taowa

#endif  // TAOWA_PARALLEL_H_
