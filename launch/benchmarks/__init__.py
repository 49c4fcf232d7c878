"""What `launch.bench` measures, apart from its table.

`cases` times the trainer, `start` a process until its first update, `efficiency` a finished sweep
against its own steady state, `wait` what a newcomer waits for, `peer` another implementation on the
same task, and `loop` a plain PyTorch loop (`torch_loop`). The last two are timed in turn with this
trainer (`turns`).
"""
