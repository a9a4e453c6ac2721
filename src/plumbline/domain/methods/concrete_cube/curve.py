"""What the curve of a concrete cube must look like: pressed steadily to failure (立方体抗压曲线)."""

from __future__ import annotations

from plumbline.domain.basics.clauses import carries_out
from plumbline.domain.basics.findings import Finding, Severity
from plumbline.domain.methods.concrete_cube.evaluation import EDITIONS, RateBand
from plumbline.domain.methods.curve import LoadingRate


@carries_out("BJ 6.2.3.3")
def loading_rate_findings(rate: LoadingRate, band: RateBand, edition: str) -> list[Finding]:
    """A loading rate clearly beside the permitted band is pointed out (加荷速度).

    Mean slope more than 10 % of a limit beyond it, or more than 20 % of the judged time outside the band:
    both shares stand in ``limits.toml``. ``rate`` must have been judged with this band.
    """
    rules = EDITIONS.named(edition)
    beyond = float(rules.decimal("rate_judgement", "beyond_limit_share"))
    low, high = float(band.low), float(band.high)
    facts = {
        "mean_MPa_per_s": f"{rate.mean_MPa_per_s:.3f}",
        "low_MPa_per_s": str(band.low),
        "high_MPa_per_s": str(band.high),
        "share_outside": f"{rate.share_outside:.3f}",
    }
    span = f"{band.low}–{band.high} MPa/s"
    mean = f"{rate.mean_MPa_per_s:.2f} MPa/s"
    if rate.mean_MPa_per_s < low * (1 - beyond):
        code, sentence = "slow_loading", f"平均加荷速度 {mean}，低于规定范围 {span}。"
    elif rate.mean_MPa_per_s > high * (1 + beyond):
        code, sentence = "fast_loading", f"平均加荷速度 {mean}，高于规定范围 {span}。"
    elif rate.share_outside > float(rules.decimal("rate_judgement", "time_outside_share")):
        share = f"{rate.share_outside * 100:.0f}%"
        code, sentence = "unsteady_loading", f"判定段内有 {share} 的时间加荷速度不在 {span} 之内。"
    else:
        return []
    return [
        Finding(
            code=f"concrete_cube.{code}",
            clause="BJ 6.2.3.3",
            sentence=sentence,
            severity=Severity.WARNING,
            facts=facts,
            remedy="检查试验机加荷控制设置，在原始记录中说明原因。",
            unverified=not rules.verified,
        )
    ]
