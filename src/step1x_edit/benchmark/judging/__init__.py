"""An editor's pictures in, a judge's answers out: two questions a case, VIEScore's protocol as GEdit-Bench uses it.

Questions come as text (``prompts``), judges are chats or local models (``judges``), an answer is two numbers or a reason why
there are none (``reading``, ``asking``), and whatever was answered is kept (``answers``).
"""

from step1x_edit.benchmark.judging.agreement import Agreement, agreement
from step1x_edit.benchmark.judging.estimate import estimate, known_price
from step1x_edit.benchmark.judging.judges import Judge, chat_judge, local_judge
from step1x_edit.benchmark.judging.prompts import JudgePrompts, own_prompts, read_prompts
from step1x_edit.benchmark.judging.running import Judging, judge_folder, open_judging

__all__ = [
    "Agreement",
    "Judge",
    "JudgePrompts",
    "Judging",
    "agreement",
    "chat_judge",
    "estimate",
    "judge_folder",
    "known_price",
    "local_judge",
    "open_judging",
    "own_prompts",
    "read_prompts",
]
