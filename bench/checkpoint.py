"""Temporary memory of a deep network's training step, with its segments checkpointed and without.

XLA's own account of the compiled step, and the time of a step.
"""

import time

WIDTH, DEPTH, BATCH = 256, 64, 2048


def main():
    import taowa

    print(f"MLP of {DEPTH} layers of {WIDTH}, batch {BATCH}")
    for segments in (1, 4, 8, 16):
        megabytes, milliseconds = measure(make_step(taowa, segments))
        kind = f"{segments:2} segments" if segments > 1 else "no checkpoint"
        print(f"{kind:14} temporaries {megabytes:7.1f} MB   step {milliseconds:7.1f} ms")


def make_step(taowa, segments):
    nn = taowa.nn
    taowa.manual_seed(0)
    layers = [m for _ in range(DEPTH) for m in (nn.Linear(WIDTH, WIDTH), nn.Tanh())]
    net = nn.Sequential(*layers)
    x = taowa.randn(BATCH, WIDTH)
    optimizer = taowa.optim.SGD(net.parameters(), lr=0.01)
    run = taowa.utils.checkpoint.checkpoint_sequential

    def step():
        optimizer.zero_grad()
        loss = (run(net, segments, x, use_reentrant=False) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    return step


def measure(step):
    """Return the temporaries of the largest program in MB, and the milliseconds of a step."""
    from taowa import clear_programs
    from taowa.core.program import programs

    clear_programs()
    for _ in range(2):
        step().item()
    largest = max(programs(), key=lambda p: p.num_nodes)
    start = time.perf_counter()
    for _ in range(3):
        step().item()
    milliseconds = (time.perf_counter() - start) / 3 * 1e3
    return largest.call.memory_analysis().temp_size_in_bytes / 2**20, milliseconds


if __name__ == "__main__":
    main()
