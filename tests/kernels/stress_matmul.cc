// Random matrix products against sums in double precision: stress_matmul SHAPES CALLERS.

#include "matmul.h"
#include "stress.h"

namespace taowa {
namespace {

struct Case {
  int64_t batch, m, n, k;
  bool transpose_a, transpose_b;
  std::vector<float> a, b;
};

Case RandomCase(Random& random) {
  // Mostly around the tiles' edges, now and then beyond the blocks'.
  const int64_t limit = random.Int(0, 19) == 0 ? 450 : 48;
  Case one;
  one.batch = random.Int(0, 9) == 0 ? random.Int(0, 40) : 1;
  one.m = random.Int(0, one.batch > 1 ? 30 : limit);
  one.n = random.Int(0, one.batch > 1 ? 30 : limit);
  one.k = random.Int(0, one.batch > 1 ? 30 : 2 * limit);
  one.transpose_a = random.Int(0, 1);
  one.transpose_b = random.Int(0, 1);
  one.a = random.Floats(one.batch * one.m * one.k);
  one.b = random.Floats(one.batch * one.k * one.n);
  return one;
}

Product ProductOf(const Case& one, std::vector<float>& c) {
  c.assign(static_cast<size_t>(one.batch * one.m * one.n), NAN);
  const Matrix a = {one.a.data(), one.transpose_a ? 1 : one.k, one.transpose_a ? one.m : 1};
  const Matrix b = {one.b.data(), one.transpose_b ? 1 : one.n, one.transpose_b ? one.k : 1};
  return {one.batch, one.m, one.n, one.k, a, b, c.data()};
}

std::vector<double> Expected(const Product& p) {
  std::vector<double> sums(static_cast<size_t>(p.batch * p.m * p.n));
  for (int64_t item = 0; item < p.batch; ++item) {
    const float* a = p.a.data + item * p.m * p.k;
    const float* b = p.b.data + item * p.k * p.n;
    double* c = sums.data() + item * p.m * p.n;
    for (int64_t i = 0; i < p.m; ++i) {
      for (int64_t k = 0; k < p.k; ++k) {
        const double number = a[i * p.a.row + k * p.a.column];
        for (int64_t j = 0; j < p.n; ++j) c[i * p.n + j] += number * b[k * p.b.row + j * p.b.column];
      }
    }
  }
  return sums;
}

void Run(int64_t num_cases, unsigned seed, const Scheduler* scheduler) {
  Random random(seed);
  const Threads threads(scheduler);
  std::vector<float> c, again;
  for (int64_t i = 0; i < num_cases; ++i) {
    const Case one = RandomCase(random);
    const Product product = ProductOf(one, c);
    char label[99];
    std::snprintf(label, sizeof label, "%dx%dx%d batch %d transposed %d %d", int(one.m), int(one.n),
                  int(one.k), int(one.batch), one.transpose_a, one.transpose_b);
    if (!matmul_kernels().multiply(product, threads)) std::exit(2);
    RequireClose(c, Expected(product), 3e-6, label);
    matmul_kernels().multiply(ProductOf(one, again), Threads(nullptr));
    if (c != again) {
      std::printf("%s: other bits with one thread\n", label);
      std::exit(1);
    }
  }
}

}  // namespace
}  // namespace taowa

int main(int argc, char** argv) {
  const int64_t num_cases = argc > 1 ? std::atoll(argv[1]) : 1000;
  const int num_callers = argc > 2 ? std::atoi(argv[2]) : 1;
  taowa::TestPool pool(num_callers > 1 ? 8 : 3);
  for (int isa = 0; taowa_isa_name(isa) != nullptr; ++isa) {
    if (*taowa_isa_name(isa) == 0) continue;
    taowa_set_isa(isa);
    std::vector<std::thread> callers;
    for (int i = 0; i < num_callers; ++i) {
      const unsigned seed = static_cast<unsigned>(100 * isa + i);
      callers.emplace_back([&, seed] {
        taowa::Run(num_cases / num_callers, seed, pool.scheduler());
      });
    }
    for (std::thread& caller : callers) caller.join();
    std::printf("matmul, %s: %d random shapes from %d threads\n", taowa_isa_name(isa),
                static_cast<int>(num_cases), num_callers);
  }
}
