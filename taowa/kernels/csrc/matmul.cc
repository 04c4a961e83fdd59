#include "matmul.h"

#include "handler.h"

namespace taowa {
namespace {

using Operand = ffi::Buffer<ffi::F32>;
using Result = ffi::Result<ffi::Buffer<ffi::F32>>;

// a: (m, k), or (k, m) if transpose_a; b: (k, n), or (n, k) if transpose_b; c: (m, n).
ffi::Error Multiply(ffi::ThreadPool pool, Operand a, Operand b, Result c, bool transpose_a,
                    bool transpose_b) {
  const auto a_sizes = a.dimensions(), b_sizes = b.dimensions(), c_sizes = c->dimensions();
  Product product;
  product.m = c_sizes[0];
  product.n = c_sizes[1];
  product.k = a_sizes[transpose_a ? 0 : 1];
  product.a = a.typed_data();
  product.a_row = transpose_a ? 1 : product.k;
  product.a_column = transpose_a ? product.m : 1;
  product.b = b.typed_data();
  product.b_row = transpose_b ? 1 : product.n;
  product.b_column = transpose_b ? product.k : 1;
  product.c = c->typed_data();
  (void)b_sizes;
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
                  .Ret<ffi::Buffer<ffi::F32>>()
                  .Attr<bool>("transpose_a")
                  .Attr<bool>("transpose_b"));

}  // namespace
}  // namespace taowa
