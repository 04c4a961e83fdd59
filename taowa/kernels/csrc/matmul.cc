#include "matmul.h"

#include "handler.h"

namespace taowa {
namespace {

using Operand = ffi::Buffer<ffi::F32>;

// a: (*batch, m, k), or (*batch, k, m) if transpose_a; b: (*batch, k, n), or (*batch, n, k) if
// transpose_b; c: (*batch, m, n).
ffi::Error Multiply(ffi::ThreadPool pool, Operand a, Operand b, ffi::Result<Operand> c,
                    bool transpose_a, bool transpose_b) {
  const auto a_sizes = a.dimensions(), b_sizes = b.dimensions(), c_sizes = c->dimensions();
  const size_t rank = c_sizes.size();
  if (rank < 2 || a_sizes.size() != rank || b_sizes.size() != rank) {
    return ffi::Error::InvalidArgument("taowa.matmul: operands are matrices or batches of them");
  }
  const int64_t m = c_sizes[rank - 2], n = c_sizes[rank - 1];
  const int64_t k = a_sizes[transpose_a ? rank - 2 : rank - 1];
  bool fits = a_sizes[transpose_a ? rank - 1 : rank - 2] == m &&
              b_sizes[transpose_b ? rank - 2 : rank - 1] == n &&
              b_sizes[transpose_b ? rank - 1 : rank - 2] == k;
  int64_t batch = 1;
  for (size_t i = 0; i + 2 < rank; ++i) {
    fits = fits && a_sizes[i] == c_sizes[i] && b_sizes[i] == c_sizes[i];
    batch *= c_sizes[i];
  }
  if (!fits) return ffi::Error::InvalidArgument("taowa.matmul: sizes do not fit");
  Product product;
  product.batch = batch;
  product.m = m;
  product.n = n;
  product.k = k;
  product.a = {a.typed_data(), transpose_a ? 1 : k, transpose_a ? m : 1};
  product.b = {b.typed_data(), transpose_b ? 1 : n, transpose_b ? k : 1};
  product.c = c->typed_data();
  PoolThreads threads(pool);
  if (!matmul_kernels().multiply(product, threads.threads())) {
    return ffi::Error(ffi::ErrorCode::kResourceExhausted, "taowa.matmul: no memory");
  }
  return ffi::Error::Success();
}

TAOWA_HANDLER("taowa.matmul", Multiply,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Operand>()
                  .Arg<Operand>()
                  .Ret<Operand>()
                  .Attr<bool>("transpose_a")
                  .Attr<bool>("transpose_b"));

}  // namespace
}  // namespace taowa
