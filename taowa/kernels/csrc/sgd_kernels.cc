// Stochastic gradient descent: all numbers of a parameter in one pass.

#include "isa.h"
#include "sgd.h"

namespace taowa {
namespace TAOWA_ISA {
namespace {

template <bool has_momentum>
struct Step {
  SgdNumbers numbers;

  float Gradient(float param, float grad) const {
    grad = numbers.is_maximizing ? -grad : grad;
    return numbers.decay == 0 ? grad : grad + numbers.decay * param;
  }

  float Buffer(float grad, float buffer) const {
    return numbers.is_first ? grad : numbers.momentum * buffer + numbers.fresh * grad;
  }

  void Update(const SgdPiece& piece) const {
    for (int64_t i = 0; i < piece.size; ++i) {
      const float param = piece.param[i];
      float direction = Gradient(param, piece.grad[i]);
      if (has_momentum) {
        const float buffer = Buffer(direction, piece.buffer[i]);
        direction = numbers.is_nesterov ? direction + numbers.momentum * buffer : buffer;
        piece.new_buffer[i] = buffer;
      }
      piece.new_param[i] = param - numbers.lr * direction;
    }
  }
};

void Update(const SgdNumbers& numbers, const SgdPiece& piece) {
  if (piece.buffer == nullptr) {
    Step<false>{numbers}.Update(piece);
  } else {
    Step<true>{numbers}.Update(piece);
  }
}

}  // namespace

const SgdKernels sgd_kernels = {Update};

}  // namespace TAOWA_ISA
}  // namespace taowa
