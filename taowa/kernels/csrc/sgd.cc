#include "sgd.h"

#include <algorithm>
#include <vector>

#include "handler.h"

namespace taowa {
namespace {

using Numbers = ffi::Buffer<ffi::F32>;
using Values = ffi::Buffer<ffi::F32>;

constexpr int64_t kPiece = 1 << 15;  // numbers that are worth a piece of their own

// Cuts what belongs to one parameter into pieces.
void Cut(const SgdPiece& whole, std::vector<SgdPiece>& pieces) {
  for (int64_t at = 0; at < whole.size; at += kPiece) {
    const bool has_buffer = whole.buffer != nullptr;
    pieces.push_back({std::min(kPiece, whole.size - at), whole.param + at, whole.grad + at,
                      has_buffer ? whole.buffer + at : nullptr, whole.new_param + at,
                      has_buffer ? whole.new_buffer + at : nullptr});
  }
}

// values: all parameters, their gradients and, with momentum, their buffers; results: the new
// parameters and buffers. numbers: learning rate, momentum, fresh, decay, number of the step.
ffi::Error Descend(ffi::ThreadPool pool, Numbers numbers, ffi::RemainingArgs values,
                   ffi::RemainingRets results, bool has_momentum, bool is_nesterov,
                   bool is_maximizing) {
  const size_t kinds = has_momentum ? 3 : 2;
  const size_t count = values.size() / kinds;
  if (numbers.element_count() != 5 || values.size() != count * kinds ||
      results.size() != count * (kinds - 1)) {
    return ffi::Error::InvalidArgument("taowa.sgd: wrong number of operands");
  }
  std::vector<SgdPiece> pieces;
  for (size_t i = 0; i < count; ++i) {
    const auto param = values.get<Values>(i), grad = values.get<Values>(count + i);
    auto new_param = results.get<Values>(i);
    if (!param.has_value() || !grad.has_value() || !new_param.has_value()) {
      return ffi::Error::InvalidArgument("taowa.sgd: operands are float32");
    }
    SgdPiece whole = {static_cast<int64_t>(param->element_count()), param->typed_data(),
                      grad->typed_data(), nullptr, (*new_param)->typed_data(), nullptr};
    if (has_momentum) {
      const auto buffer = values.get<Values>(2 * count + i);
      auto new_buffer = results.get<Values>(count + i);
      if (!buffer.has_value() || !new_buffer.has_value()) {
        return ffi::Error::InvalidArgument("taowa.sgd: operands are float32");
      }
      whole.buffer = buffer->typed_data();
      whole.new_buffer = (*new_buffer)->typed_data();
    }
    Cut(whole, pieces);
  }
  const float* n = numbers.typed_data();
  const SgdNumbers shared = {n[0], n[1], n[2], n[3], n[4] == 1, is_nesterov, is_maximizing};
  const SgdKernels& kernels = sgd_kernels();
  PoolThreads threads(pool);
  threads.threads().For(static_cast<int64_t>(pieces.size()),
                        [&](int64_t i) { kernels.update(shared, pieces[i]); });
  return ffi::Error::Success();
}

TAOWA_HANDLER("taowa.sgd", Descend,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Numbers>()
                  .RemainingArgs()
                  .RemainingRets()
                  .Attr<bool>("has_momentum")
                  .Attr<bool>("is_nesterov")
                  .Attr<bool>("is_maximizing"));

}  // namespace
}  // namespace taowa
