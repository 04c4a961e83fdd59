#include "parallel.h"

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <new>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace taowa {
namespace {

constexpr int kSpins = 4000;  // some 50 microseconds: longer than most pieces differ in length
constexpr int kSlots = 4;
constexpr size_t kAlignment = 64;

std::atomic<int> max_threads{0};

void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// One call of Run. Helpers may start after it has returned: they hold a reference, find no piece
// left and never touch `data`.
struct Job {
  std::atomic<int64_t> next{0};
  std::atomic<int64_t> unfinished;
  std::atomic<int> references;
  int64_t num_pieces;
  void (*piece)(void*, int64_t);
  void* data;
  std::mutex mutex;
  std::condition_variable finished;

  void Work() {
    int64_t index;
    while ((index = next.fetch_add(1, std::memory_order_relaxed)) < num_pieces) {
      piece(data, index);
      if (unfinished.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        std::lock_guard<std::mutex> lock(mutex);
        finished.notify_one();
      }
    }
  }

  bool IsFinished() const { return unfinished.load(std::memory_order_acquire) == 0; }

  void Wait() {
    for (int i = 0; i < kSpins; ++i) {
      if (IsFinished()) return;
      Pause();
    }
    std::unique_lock<std::mutex> lock(mutex);
    finished.wait(lock, [this] { return IsFinished(); });
  }

  void Release() {
    if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
};

struct Buffers {
  float* memory[kSlots] = {};
  size_t sizes[kSlots] = {};

  ~Buffers() {
    for (float* one : memory) std::free(one);
  }
};

thread_local Buffers buffers;

}  // namespace

Threads::Threads(const Scheduler* scheduler) : scheduler_(scheduler), count_(1) {
  if (scheduler == nullptr || scheduler->num_threads < 1) return;
  const int bound = max_threads.load(std::memory_order_relaxed);
  count_ = bound > 0 && bound < scheduler->num_threads ? bound : scheduler->num_threads;
}

int Threads::count() const { return count_; }

void Threads::Run(int64_t num_pieces, void (*piece)(void*, int64_t), void* data) const {
  const int64_t wanted = num_pieces < count_ ? num_pieces : count_;
  Job* job = wanted > 1 ? new (std::nothrow) Job : nullptr;
  if (job == nullptr) {
    for (int64_t i = 0; i < num_pieces; ++i) piece(data, i);
    return;
  }
  job->unfinished.store(num_pieces, std::memory_order_relaxed);
  job->references.store(static_cast<int>(wanted), std::memory_order_relaxed);
  job->num_pieces = num_pieces;
  job->piece = piece;
  job->data = data;
  auto help = [](void* one) {
    static_cast<Job*>(one)->Work();
    static_cast<Job*>(one)->Release();
  };
  for (int64_t i = 1; i < wanted; ++i) scheduler_->schedule(scheduler_->state, help, job);
  job->Work();
  job->Wait();
  job->Release();
}

void SetMaxThreads(int count) { max_threads.store(count, std::memory_order_relaxed); }

float* Scratch(int slot, size_t num_floats) {
#if defined(__SANITIZE_ADDRESS__)
  buffers.sizes[slot] = 0;  // an own allocation each time, whose ends are guarded
#endif
  if (buffers.sizes[slot] < num_floats) {
    std::free(buffers.memory[slot]);
    const size_t bytes = (num_floats * sizeof(float) + kAlignment - 1) / kAlignment * kAlignment;
    buffers.memory[slot] = static_cast<float*>(std::aligned_alloc(kAlignment, bytes));
    buffers.sizes[slot] = buffers.memory[slot] == nullptr ? 0 : bytes / sizeof(float);
  }
  return buffers.memory[slot];
}

}  // namespace taowa
