"""The loop: batches → loss → gradients → weights; watched, recorded and kept, in one process or several.

accelerate brings device, processes and accumulation. Nothing is printed; a :class:`Watcher` hears everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from step1x_edit.errors import NumericalError
from step1x_edit.training.config import RunConfig
from step1x_edit.training.draws import StepSeed
from step1x_edit.training.run.checkpoints import CheckpointFolder
from step1x_edit.training.run.contract import Deal, Trainee
from step1x_edit.training.run.diagnosis import bad_activation, bad_examples, bad_gradient
from step1x_edit.training.run.guards import Guard, Verdict
from step1x_edit.training.run.journal import Journal
from step1x_edit.training.run.length import Clock, Pace, run_length
from step1x_edit.training.run.memory import peak_memory_gib
from step1x_edit.training.run.processes import Processes
from step1x_edit.training.run.random_states import random_states, restore_random_states, seed_everything
from step1x_edit.training.run.snapshot import load_weights, snapshot, trained_weights
from step1x_edit.training.run.watching import Ending, RunFacts, RunOutcome, StepRecord, Watcher
from step1x_edit.training.step import StepLoss

__all__ = ["Loop", "Periodic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Periodic:
    """Something that the main process does every so many steps, while the weights that are kept are in place."""

    every: int
    act: Callable[[int], None]
    """Called with the number of steps that are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One accumulated batch of a step, in this process."""

    deal: Deal
    seed: StepSeed
    losses: Tensor
    """Of each example."""


class Loop:
    """One run.

    Args:
        trainee: Network, objective, optimisers, batches.
        run: How long, how large, what is kept.
        clip_norm: Largest norm of the gradient.
        folder: Of the run.
        accelerator: Device and processes; its gradient accumulation is ``run.accumulate``.
        watcher: Hears how it goes on; in the main process.
        validation: What looks at the network now and then.
        stop: Asked between steps whether to leave.
    """

    def __init__(
        self,
        trainee: Trainee,
        *,
        run: RunConfig,
        clip_norm: float,
        folder: Path,
        accelerator: Accelerator,
        watcher: Watcher,
        validation: Periodic | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._trainee = trainee
        self._run = run
        self._clip_norm = clip_norm
        self._folder = folder
        self._accelerator = accelerator
        self._processes = Processes(accelerator)
        self._watcher = watcher if self._processes.main else Watcher()
        self._validation = validation
        self._stop = stop
        self._shared: nn.Module = accelerator.prepare_model(trainee.network)
        self._weights = list(trained_weights(trainee.network).values())
        self._checkpoints = CheckpointFolder(folder / "checkpoints", keep=run.keep, notice=self._watcher.notice)
        self._length = run_length(run, batches_in=trainee.batches.batches_in)
        self._guard = Guard(run.spike_factor)
        self._clock, self._pace = Clock(), Pace()
        self._step = self._kept = 0

    def train(self) -> RunOutcome:
        """Train to the end, or until asked to stop; go on from the newest whole checkpoint where there is one.

        Returns:
            How it ended; a run that finished has written its exports.

        Raises:
            NumericalError: Losses or gradients stay bad after backing off.
            DataError: The disk is full.
            CheckpointError: The checkpoint belongs to other weights.
        """
        seed_everything(self._run.seed, process=self._processes.number)
        self._resume()
        self._watcher.begin(self._facts())
        with ExitStack() as stack:
            journal = None
            if self._processes.main:
                journal = Journal(self._folder, first_step=self._step, notice=self._watcher.notice)
                stack.enter_context(journal)
            ending = self._steps(journal)
        if ending == "finished":
            self._last_look()
        self._keep()
        outcome = RunOutcome(
            folder=self._folder,
            ending=ending,
            step=self._step,
            loss=self._guard.mean,
            seconds=self._clock.seconds(),
            exports=self._exports() if ending == "finished" else (),
        )
        self._watcher.end(outcome)
        return outcome

    def _steps(self, journal: Journal | None) -> Ending:
        self._trainee.network.train()
        while True:
            done = self._length.share(steps=self._step, seconds=self._clock.seconds())
            share, stop = self._processes.from_main(done, float(self._stop()))
            if share >= 1:
                return "finished"
            if stop:
                return "stopped"
            record = self._take_step(share)
            if journal is not None:
                journal.write(record)
            self._watcher.step(record)
            self._now_and_then()

    def _take_step(self, share: float) -> StepRecord:
        trainee = self._trainee
        # 1. The rate of this step.
        trainee.optimizers.scale_rates(trainee.rate_share(self._step, share) * self._guard.rate_share)
        # 2. The gradient of the global batch.
        parts, loss = self._gradient()
        norm = float(nn.utils.clip_grad_norm_(self._weights, self._clip_norm))
        # 3. The step, unless something is wrong with it.
        verdict = self._guard.judge(loss=loss, gradient_norm=norm)
        if verdict.measure == "go":
            trainee.optimizers.step()
            if trainee.mean is not None:
                trainee.mean.update()
        else:
            self._refuse(verdict, parts)
        trainee.optimizers.zero_grad()
        self._step += 1
        return self._record(parts, loss=loss, norm=norm, verdict=verdict)

    def _gradient(self) -> tuple[list[_Part], float]:
        """Add up the gradients of the accumulated batches; return these and the loss over all processes."""
        parts, total = [], torch.zeros((), device=self._accelerator.device)
        for micro in range(self._run.accumulate):
            deal = self._trainee.batches.deal()
            seed = self._seed(micro, len(deal.batch.target))
            with self._accelerator.accumulate(self._shared):
                found = self._loss(self._shared, deal, seed)
                self._accelerator.backward(found.loss)
            total += found.loss.detach() / self._run.accumulate
            parts.append(_Part(deal=deal, seed=seed, losses=found.per_example))
        return parts, self._processes.mean(total)

    def _loss(self, network: nn.Module, deal: Deal, seed: StepSeed) -> StepLoss:
        with torch.autocast(self._accelerator.device.type, torch.bfloat16, enabled=self._run.precision == "bf16"):
            return self._trainee.objective(network, deal.batch, seed)

    def _seed(self, micro: int, examples: int) -> StepSeed:
        first = (micro * self._processes.count + self._processes.number) * self._run.batch
        return StepSeed(run=self._run.seed, step=self._step, numbers=tuple(range(first, first + examples)))

    def _refuse(self, verdict: Verdict, parts: Sequence[_Part]) -> None:
        """Skip a step, and back off or stop where skipping did not help."""
        where = self._where(parts)
        if verdict.measure == "stop":
            raise self._given_up(verdict, where)
        self._watcher.notice(f"Step {self._step + 1} is skipped: {verdict.fault}{where}.")
        if verdict.measure == "back_off":
            last = self._checkpoints.latest()
            if last is not None:
                load_weights(self._trainee, last)
            back = "" if last is None else f", and the weights of step {last.step} are taken up again"
            self._watcher.notice(f"The learning rate goes to {self._guard.rate_share:g} of its schedule{back}.")

    def _where(self, parts: Sequence[_Part]) -> str:
        """Say in which module and with which examples, over all processes."""
        worst = max(parts, key=lambda part: float(part.losses.nan_to_num(nan=torch.inf).max()))
        network = self._trainee.network
        activation = bad_activation(network, lambda: self._loss(network, worst.deal, worst.seed))
        found = self._processes.gathered((activation, bad_examples(worst.deal.names, worst.losses)))
        # All processes share the gradient, but only one has the batch that spoilt it.
        module = next((one for one, _ in found if one is not None), None) or bad_gradient(network)
        names = ", ".join(name for _, names in found for name in names)
        return f" (first in {module}; examples: {names})" if module else f" (examples: {names})"

    def _given_up(self, verdict: Verdict, where: str) -> NumericalError:
        kept = self._checkpoints.places()
        intact = f"The checkpoint {kept[0]} is intact. " if kept else ""
        return NumericalError(
            given=f"step {self._step + 1}, again after backing off: {verdict.fault}{where}",
            expected="finite numbers and a loss near those before",
            remedy=f"{intact}Look at these examples, or lower optimizer.rate, and run the same command again.",
        )

    def _record(self, parts: Sequence[_Part], *, loss: float, norm: float, verdict: Verdict) -> StepRecord:
        samples = sum(len(part.deal.batch.target) for part in parts) * self._processes.count
        tokens = sum(_image_tokens(part.deal) for part in parts) * self._processes.count
        seconds = self._clock.seconds()
        done = self._length.share(steps=self._step, seconds=seconds)
        self._pace.mark(seconds=seconds, samples=samples, tokens=tokens, share=done)
        return StepRecord(
            step=self._step,
            epoch=parts[-1].deal.epoch,
            loss=loss,
            gradient_norm=norm,
            rate=self._trainee.optimizers.rate,
            share_done=min(1.0, done),
            seconds=seconds,
            samples_per_second=self._pace.samples_per_second(),
            tokens_per_second=self._pace.tokens_per_second(),
            memory_gib=peak_memory_gib(self._accelerator.device),
            seconds_left=self._pace.seconds_left(),
            skipped=verdict.fault or None,
        )

    def _now_and_then(self) -> None:
        if self._validation is not None and self._step % self._validation.every == 0:
            self._validate(self._validation)
        if self._step % self._run.checkpoint_every == 0:
            self._keep()

    def _last_look(self) -> None:
        """Validate what the run ends with, unless its last step was looked at or nothing was done."""
        if self._validation is not None and self._step != self._kept and self._step % self._validation.every:
            self._validate(self._validation)

    def _validate(self, validation: Periodic) -> None:
        """Look at the weights that are kept in the end; chance goes on afterwards as if nobody had looked."""
        if self._processes.main:
            before = random_states()
            with self._settled():
                validation.act(self._step)
            restore_random_states(before)
        self._accelerator.wait_for_everyone()

    @contextmanager
    def _settled(self) -> Iterator[None]:
        """Put the weights that are kept in the end into the network: their running mean, or a schedule-free point."""
        network, mean = self._trainee.network, self._trainee.mean
        network.eval()
        with self._trainee.optimizers.evaluated() if mean is None else mean.applied():
            yield
        network.train()

    def _exports(self) -> tuple[Path, ...]:
        if not self._processes.main:
            return ()
        with self._settled():
            return tuple(self._trainee.export(self._folder / "exports"))

    def _keep(self) -> None:
        """Write a checkpoint, unless this step has one."""
        if self._step == self._kept:
            return
        states = self._processes.gathered(random_states())
        if self._processes.main:
            beside = {"random": states, "guard": self._guard.state_dict(), "seconds": self._clock.seconds()}
            self._checkpoints.write(snapshot(self._trainee, step=self._step, beside=beside))
        self._accelerator.wait_for_everyone()
        self._kept = self._step

    def _resume(self) -> None:
        last = self._checkpoints.latest()
        if last is None:
            return
        load_weights(self._trainee, last)
        self._trainee.batches.load_state_dict(last.state["batches"])
        self._guard.load_state_dict(last.state["guard"])
        self._clock.set(last.state["seconds"])
        self._step = self._kept = last.step
        states = last.state["random"]
        if len(states) == self._processes.count:
            restore_random_states(states[self._processes.number])
        else:
            self._watcher.notice(
                f"The run was kept by {len(states)} processes and goes on with {self._processes.count}: dropout differs."
            )

    def _facts(self) -> RunFacts:
        return RunFacts(
            folder=self._folder,
            steps=self._length.steps,
            first_step=self._step,
            trained_parameters=sum(weight.numel() for weight in self._weights),
            processes=self._processes.count,
            device=self._accelerator.device.type,
        )


def _image_tokens(deal: Deal) -> int:
    """Return the number of target and reference tokens."""
    return deal.batch.target.shape[:2].numel() * (1 if deal.batch.reference is None else 2)
