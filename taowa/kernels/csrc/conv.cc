// What XLA calls for convolutions. Images are (batch, height, width, channels).

#include "conv_depthwise.h"
#include "conv_direct.h"
#include "conv_shape.h"
#include "handler.h"
#include "winograd.h"

namespace taowa {
namespace {

typedef ffi::Buffer<ffi::F32, 4> Images;
typedef ffi::ResultBuffer<ffi::F32, 4> ImagesOut;
typedef ffi::Span<const int64_t> Window;  // stride, padding before, dilation (2 each), groups

template <typename X, typename W, typename Y>
ConvShape ShapeOf(const X& x, const W& w, const Y& y, Window window) {
  return {x[0],      x[1],      x[2],      x[3],      y[1],      y[2],      y[3],      w[2],
          w[3],      window[0], window[1], window[2], window[3], window[4], window[5], window[6]};
}

bool IsDepthwise(const ConvShape& s) {
  return s.groups > 1 && s.groups == s.in_channels && s.groups == s.out_channels;
}

ffi::Error Outcome(bool has_memory) {
  if (has_memory) return ffi::Error::Success();
  return ffi::Error(ffi::ErrorCode::kResourceExhausted, "no memory for a convolution");
}

ffi::Error ConvForward(ffi::ThreadPool pool, Images x, Images w, ImagesOut y, Window window,
                       bool winograd) {
  const PoolThreads threads(pool);
  const ConvShape s = ShapeOf(x.dimensions(), w.dimensions(), y->dimensions(), window);
  const auto run = winograd         ? winograd_kernels().forward
                   : IsDepthwise(s) ? depthwise_kernels().forward
                                    : direct_kernels().forward;
  return Outcome(run(x.typed_data(), w.typed_data(), y->typed_data(), s, threads.threads()));
}

ffi::Error ConvInput(ffi::ThreadPool pool, Images dy, Images w, ImagesOut dx, Window window,
                     bool winograd) {
  const PoolThreads threads(pool);
  const ConvShape s = ShapeOf(dx->dimensions(), w.dimensions(), dy.dimensions(), window);
  const auto run = winograd         ? winograd_kernels().input
                   : IsDepthwise(s) ? depthwise_kernels().input
                                    : direct_kernels().input;
  return Outcome(run(dy.typed_data(), w.typed_data(), dx->typed_data(), s, threads.threads()));
}

ffi::Error ConvWeight(ffi::ThreadPool pool, Images x, Images dy, ImagesOut dw, Window window,
                      bool winograd) {
  const PoolThreads threads(pool);
  const ConvShape s = ShapeOf(x.dimensions(), dw->dimensions(), dy.dimensions(), window);
  const auto run = winograd         ? winograd_kernels().weight
                   : IsDepthwise(s) ? depthwise_kernels().weight
                                    : direct_kernels().weight;
  return Outcome(run(x.typed_data(), dy.typed_data(), dw->typed_data(), s, threads.threads()));
}

TAOWA_HANDLER("taowa.conv_forward", ConvForward,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Images>()      // x
                  .Arg<Images>()      // w
                  .Ret<Images>()      // y
                  .Attr<Window>("window")
                  .Attr<bool>("winograd"));
TAOWA_HANDLER("taowa.conv_input", ConvInput,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Images>()      // dy
                  .Arg<Images>()      // w
                  .Ret<Images>()      // dx
                  .Attr<Window>("window")
                  .Attr<bool>("winograd"));
TAOWA_HANDLER("taowa.conv_weight", ConvWeight,
              ffi::Ffi::Bind()
                  .Ctx<ffi::ThreadPool>()
                  .Arg<Images>()      // x
                  .Arg<Images>()      // dy
                  .Ret<Images>()      // dw
                  .Attr<Window>("window")
                  .Attr<bool>("winograd"));

}  // namespace
}  // namespace taowa
