// Random convolutions, all passes, against sums in double precision: stress_conv SHAPES CALLERS.

#include "conv_depthwise.h"
#include "conv_direct.h"
#include "stress.h"
#include "winograd.h"

namespace taowa {
namespace {

enum Kind { kDirect, kDepthwise, kWinograd };
constexpr double kTolerances[] = {2e-6, 2e-6, 2e-5};

struct Case {
  Kind kind;
  ConvShape s;
  std::vector<float> x, w, dy;
};

int64_t OutputSize(int64_t in, int64_t kernel, int64_t stride, int64_t pads, int64_t dilation) {
  const int64_t room = in + pads - dilation * (kernel - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

ConvShape RandomShape(Random& random, Kind kind) {
  const bool is_winograd = kind == kWinograd;
  // Mostly around the vectors' edges, now and then beyond the blocks'.
  const bool is_large = random.Int(0, 39) == 0;
  ConvShape s;
  s.batch = random.Int(0, 19) == 0 ? 0 : random.Int(1, is_large ? 9 : 3);
  s.in_height = random.Int(1, 12), s.in_width = random.Int(1, is_large ? 30 : 12);
  s.kernel_height = is_winograd ? 3 : random.Int(1, 5);
  s.kernel_width = is_winograd ? 3 : random.Int(1, 5);
  s.stride_height = is_winograd ? 1 : random.Int(1, 3);
  s.stride_width = is_winograd ? 1 : random.Int(1, 3);
  s.dilation_height = is_winograd ? 1 : random.Int(1, 3);
  s.dilation_width = is_winograd ? 1 : random.Int(1, 3);
  s.pad_top = random.Int(0, 4), s.pad_left = random.Int(0, 4);
  const int64_t depth = random.Int(1, is_large ? 140 : 24);
  const int64_t columns = random.Int(1, is_large ? 140 : 40);
  s.groups = kind == kDepthwise ? random.Int(1, 40) : is_winograd ? 1 : random.Int(1, 2);
  s.in_channels = s.groups * (kind == kDepthwise ? 1 : depth);
  s.out_channels = s.groups * (kind == kDepthwise ? 1 : columns);
  s.out_height = OutputSize(s.in_height, s.kernel_height, s.stride_height,
                            s.pad_top + random.Int(0, 4), s.dilation_height);
  s.out_width = OutputSize(s.in_width, s.kernel_width, s.stride_width,
                           s.pad_left + random.Int(0, 4), s.dilation_width);
  return s;
}

Case RandomCase(Random& random) {
  Case one;
  one.kind = static_cast<Kind>(random.Int(0, 2));
  one.s = RandomShape(random, one.kind);
  const ConvShape& s = one.s;
  one.x = random.Floats(s.batch * s.in_height * s.in_width * s.in_channels);
  one.w = random.Floats(s.out_channels * (s.in_channels / s.groups) * s.kernel_height *
                        s.kernel_width);
  one.dy = random.Floats(s.batch * s.out_height * s.out_width * s.out_channels);
  return one;
}

struct Expected {
  explicit Expected(const Case& one)
      : y(one.dy.size()), dx(one.x.size()), dw(one.w.size()) {
    const ConvShape& s = one.s;
    for (int64_t pixel = 0; pixel < s.batch * s.out_height * s.out_width; ++pixel) {
      for (int64_t tap = 0; tap < s.kernel_height * s.kernel_width; ++tap) Add(one, pixel, tap);
    }
  }

  // One output pixel and one tap of all filters.
  void Add(const Case& one, int64_t pixel, int64_t tap) {
    const ConvShape& s = one.s;
    const int64_t row = pixel / s.out_width % s.out_height * s.stride_height - s.pad_top +
                        tap / s.kernel_width * s.dilation_height;
    const int64_t column = pixel % s.out_width * s.stride_width - s.pad_left +
                           tap % s.kernel_width * s.dilation_width;
    if (row < 0 || row >= s.in_height || column < 0 || column >= s.in_width) return;
    const int64_t image = pixel / (s.out_height * s.out_width);
    const int64_t from = (image * s.in_height + row) * s.in_width + column;
    const int64_t depth = s.in_channels / s.groups, columns = s.out_channels / s.groups;
    for (int64_t o = 0; o < s.out_channels; ++o) {
      const int64_t to = pixel * s.out_channels + o;
      for (int64_t c = 0; c < depth; ++c) {
        const int64_t source = from * s.in_channels + o / columns * depth + c;
        const int64_t weight = (o * depth + c) * s.kernel_height * s.kernel_width + tap;
        y[to] += static_cast<double>(one.x[source]) * one.w[weight];
        dx[source] += static_cast<double>(one.dy[to]) * one.w[weight];
        dw[weight] += static_cast<double>(one.x[source]) * one.dy[to];
      }
    }
  }

  std::vector<double> y, dx, dw;
};

struct Found {
  template <typename Kernels>
  Found(const Case& one, const Kernels& kernels, const Threads& threads)
      : y(one.dy.size(), NAN), dx(one.x.size(), NAN), dw(one.w.size(), NAN) {
    const bool has_memory =
        kernels.forward(one.x.data(), one.w.data(), y.data(), one.s, threads) &&
        kernels.input(one.dy.data(), one.w.data(), dx.data(), one.s, threads) &&
        kernels.weight(one.x.data(), one.dy.data(), dw.data(), one.s, threads);
    if (!has_memory) std::exit(2);
  }

  std::vector<float> y, dx, dw;
};

Found Compute(const Case& one, const Threads& threads) {
  if (one.kind == kWinograd) return Found(one, winograd_kernels(), threads);
  if (one.kind == kDepthwise) return Found(one, depthwise_kernels(), threads);
  return Found(one, direct_kernels(), threads);
}

void Run(int64_t num_cases, unsigned seed, const Scheduler* scheduler) {
  Random random(seed);
  const Threads threads(scheduler);
  for (int64_t i = 0; i < num_cases; ++i) {
    const Case one = RandomCase(random);
    const ConvShape& s = one.s;
    char label[199];
    std::snprintf(label, sizeof label,
                  "kind %d, %dx%dx%dx%d to %dx%dx%d, kernel %dx%d stride %d %d pad %d %d "
                  "dilation %d %d groups %d",
                  one.kind, int(s.batch), int(s.in_height), int(s.in_width), int(s.in_channels),
                  int(s.out_height), int(s.out_width), int(s.out_channels), int(s.kernel_height),
                  int(s.kernel_width), int(s.stride_height), int(s.stride_width), int(s.pad_top),
                  int(s.pad_left), int(s.dilation_height), int(s.dilation_width), int(s.groups));
    const Expected expected(one);
    const Found found = Compute(one, threads), again = Compute(one, threads);
    const double tolerance = kTolerances[one.kind];
    RequireClose(found.y, expected.y, tolerance, label);
    RequireClose(found.dx, expected.dx, tolerance, label);
    RequireClose(found.dw, expected.dw, tolerance, label);
    if (found.y != again.y || found.dx != again.dx || found.dw != again.dw) {
      std::printf("%s: other bits the second time\n", label);
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
    std::printf("convolutions, %s: %d random shapes from %d threads\n", taowa_isa_name(isa),
                static_cast<int>(num_cases), num_callers);
  }
}
