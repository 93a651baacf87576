"""What tries to break the package: fuzzing, interruptions, failing disks, injected faults, a soak.

A few cases of each in the suite; ``python -m tests.reliability`` (``make nightly``) tries as many
as it is told and writes ``results/reliability``.
"""
