// What the stress programs share: a pool of threads, random numbers, a comparison.

#ifndef TAOWA_STRESS_H_
#define TAOWA_STRESS_H_

#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "parallel.h"

namespace taowa {

// Stands for XLA's pool: any free thread runs the oldest task.
class TestPool {
 public:
  explicit TestPool(int num_threads) : scheduler_{this, num_threads, Schedule} {
    for (int i = 0; i < num_threads; ++i) workers_.emplace_back([this] { Work(); });
  }

  ~TestPool() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      is_closed_ = true;
    }
    changed_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  const Scheduler* scheduler() const { return &scheduler_; }

 private:
  typedef std::pair<void (*)(void*), void*> Task;

  static void Schedule(void* pool, void (*task)(void*), void* data) {
    TestPool* self = static_cast<TestPool*>(pool);
    {
      std::lock_guard<std::mutex> lock(self->mutex_);
      self->tasks_.push_back({task, data});
    }
    self->changed_.notify_one();
  }

  void Work() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return is_closed_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      const Task task = tasks_.front();
      tasks_.pop_front();
      lock.unlock();
      task.first(task.second);
      lock.lock();
    }
  }

  Scheduler scheduler_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  std::vector<std::thread> workers_;
  bool is_closed_ = false;
};

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}

  int64_t Int(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine_);
  }

  std::vector<float> Floats(int64_t count) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = uniform_(engine_);
    return values;
  }

 private:
  std::mt19937 engine_;
  std::uniform_real_distribution<float> uniform_{-1, 1};
};

// Ends the program unless all numbers agree within `tolerance` of the largest one.
inline void RequireClose(const std::vector<float>& found, const std::vector<double>& expected,
                         double tolerance, const char* what) {
  double largest = 0, worst = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    largest = std::fmax(largest, std::fabs(expected[i]));
    const double error = std::fabs(found[i] - expected[i]);
    worst = error > worst || std::isnan(error) ? error : worst;
  }
  if (worst <= tolerance * largest) return;
  std::printf("%s: error %g of at most %g\n", what, worst, largest);
  std::exit(1);
}

}  // namespace taowa

// From library.cc.
extern "C" const char* taowa_isa_name(int index);
extern "C" void taowa_set_isa(int index);

#endif  // TAOWA_STRESS_H_
