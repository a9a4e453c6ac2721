from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from plumbline.domain.methods.curve import FloatArray
from plumbline.domain.methods.rebar_tension.curve import TensionCurve, evaluate_curve, tension_curve
from plumbline.domain.methods.tests.recordings import known_answers, tension_curves


def bar(*, upper: float = 450.0, undershoot: float = 0.0, plateau: float = 0.012) -> TensionCurve:
    """A bar as a mill delivers it: elastic to ``upper``, yielding at 430, hardening to 600 MPa at 12 %."""
    yielded = upper / 200_000
    strain = np.concatenate(
        [
            np.linspace(0, yielded, 400, endpoint=False),
            np.linspace(yielded, yielded + plateau, 600, endpoint=False),
            np.linspace(yielded + plateau, 0.15, 2000),
        ]
    )
    way = (strain[400:1000] - yielded) / plateau
    flat = 430 + 1.0 * np.sin(way * 40) - undershoot * np.exp(-(((way - 0.03) / 0.01) ** 2))
    flat[0] = upper
    hardening = 430 + 170 * (1 - ((strain[1000:] - 0.12) / (0.12 - strain[1000])) ** 2)
    stress = np.concatenate([strain[:400] * 200_000, flat, hardening])
    return TensionCurve(stress_MPa=stress, strain=strain)


def timed(curve: TensionCurve, rates: FloatArray | None = None) -> TensionCurve:
    """The same bar recorded by force and time only: the strain rate rises tenfold after yielding."""
    assert curve.strain is not None
    steps = np.diff(curve.strain, prepend=0.0)
    rate = np.where(np.arange(steps.size) < 1000, 0.00025, 0.0025) if rates is None else rates
    return TensionCurve(stress_MPa=curve.stress_MPa, time_s=np.cumsum(steps / rate))


def test_a_bar_with_a_yield_point_gives_upper_and_lower_yield() -> None:
    found = evaluate_curve(bar())
    assert found.yield_kind == "peak"
    assert found.ReH_MPa == pytest.approx(450, abs=0.01)
    assert found.ReL_MPa == pytest.approx(429, abs=0.2)
    assert found.Rm_MPa == pytest.approx(600, abs=0.05)
    assert found.modulus_GPa == pytest.approx(200, rel=0.001)
    assert found.Agt_pct == pytest.approx(12.0, abs=0.1)


@pytest.mark.parametrize(("upper", "kind"), [(432.5, "peak"), (430.9, "plateau")])
def test_a_drop_below_half_a_per_cent_is_no_upper_yield(upper: float, kind: str) -> None:
    found = evaluate_curve(bar(upper=upper))
    assert found.yield_kind == kind
    assert found.ReL_MPa == pytest.approx(429, abs=0.2)


def test_the_initial_transient_is_not_the_lower_yield() -> None:
    found = evaluate_curve(bar(undershoot=15))
    assert found.ReL_with_transient_MPa == pytest.approx(415.5, abs=1)
    assert found.ReL_MPa == pytest.approx(429, abs=0.2)


def test_a_single_dip_between_peak_and_hardening_is_the_lower_yield() -> None:
    strain = np.concatenate([np.linspace(0, 0.00225, 400), np.linspace(0.0023, 0.12, 3000)])
    dip = 450 - 20 * np.sin(np.clip((strain[400:] - 0.0023) / 0.01, 0, 1) * np.pi)
    stress = np.concatenate(
        [strain[:400] * 200_000, dip + np.linspace(0, 150, 3000) * (strain[400:] > 0.0123)]
    )
    found = evaluate_curve(TensionCurve(stress_MPa=stress, strain=strain))
    assert found.yield_kind == "peak"
    assert found.ReH_MPa == pytest.approx(450, abs=0.1)
    assert found.ReL_MPa == pytest.approx(430, abs=0.1)


def test_force_and_time_alone_show_the_same_yield() -> None:
    found = evaluate_curve(timed(bar()))
    assert (found.yield_kind, found.Rp02_MPa, found.Agt_pct, found.modulus_GPa) == ("peak", None, None, None)
    assert found.ReH_MPa == pytest.approx(450, abs=0.01)
    assert found.ReL_MPa == pytest.approx(429, abs=0.2)


def test_a_short_pause_of_the_machine_is_no_yield() -> None:
    time_s = np.linspace(0, 40, 2001)
    stress = 12.0 * time_s
    paused = (time_s > 15) & (time_s <= 18)
    stress = np.where(time_s > 18, stress - 36, stress)
    stress[paused] = 180 - 2 * np.sin((time_s[paused] - 15) * np.pi / 3)
    found = evaluate_curve(TensionCurve(stress_MPa=stress, time_s=time_s))
    assert found.yield_kind == "proof"
    assert [f.code for f in found.findings] == ["rebar_tension.unusable_slope"]


def test_an_unloading_in_the_elastic_part_is_no_yield() -> None:
    strain = np.concatenate([np.linspace(0, 0.001, 100), np.linspace(0.001, 0.0005, 50)])
    strain = np.concatenate([strain, np.linspace(0.0005, 0.002, 150)])
    curved = np.linspace(0.002, 0.1, 1000)
    stress = np.concatenate([strain * 200_000, 400 + 300 * (1 - np.exp(-(curved - 0.002) * 40))])
    found = evaluate_curve(TensionCurve(stress_MPa=stress, strain=np.concatenate([strain, curved])))
    assert found.yield_kind == "proof"
    assert found.ReH_MPa is None


def test_a_serration_during_hardening_is_no_yield() -> None:
    strain = np.linspace(0, 0.12, 4000)
    stress = np.minimum(strain * 200_000, 380 + 250 * (1 - np.exp(-strain * 25)))
    stress[900:960] -= 12
    assert evaluate_curve(TensionCurve(stress_MPa=stress, strain=strain)).ReH_MPa is None


def test_a_late_drop_is_no_yield() -> None:
    curve = timed(bar(), np.full(3000, 0.00025))
    stress = curve.stress_MPa.copy()
    stress[400:1000] = np.linspace(450, 452, 600)
    stress[1800:1900] -= 20
    assert evaluate_curve(replace(curve, stress_MPa=stress)).ReH_MPa is None


def test_grip_travel_gives_no_modulus_and_no_agt() -> None:
    found = evaluate_curve(replace(bar(), extensometer=False))
    assert (found.modulus_GPa, found.Agt_pct) == (None, None)


def test_force_and_extension_give_the_same_curve() -> None:
    source = bar()
    assert source.strain is not None
    curve = tension_curve(
        source.stress_MPa * 314.2 / 1000, 314.2, extension_mm=source.strain * 100, gauge_length_mm=100.0
    )
    assert evaluate_curve(curve).ReH_MPa == pytest.approx(450, abs=0.01)


@pytest.mark.parametrize("points", [0, 5, 19])
def test_a_curve_of_too_few_points_is_refused(points: int) -> None:
    with pytest.raises(ValueError, match="20 points"):
        TensionCurve(stress_MPa=np.zeros(points), strain=np.zeros(points))


def test_a_curve_with_a_hole_in_its_numbers_is_refused() -> None:
    curve = bar()
    stress = curve.stress_MPa.copy()
    stress[10] = np.nan
    with pytest.raises(ValueError, match="finite"):
        replace(curve, stress_MPa=stress)


def test_recorded_steel_agrees_with_its_known_values() -> None:
    curves = tension_curves()
    for known in known_answers("tensile_reference_values")["tensile"]:
        found = evaluate_curve(curves[known["name"]])
        assert found.Rm_MPa == pytest.approx(known["Rm_MPa"], rel=0.0005), known["name"]
        middle = known["eps_mid_plateau_0.05pct"]
        assert found.Agt_pct == pytest.approx(middle, abs=0.3), known["name"]
        if known["fits"][0]["npts"] >= 10:
            assert found.Rp02_MPa == pytest.approx(known["fits"][0]["Rp02"], rel=0.01), known["name"]
        else:
            assert found.Rp02_MPa is None
            assert [f.code for f in found.findings] == ["rebar_tension.unusable_slope"]


def test_no_recorded_curve_without_plateau_gets_a_false_yield_point() -> None:
    curves = tension_curves()
    assert len(curves) == 14
    for name, curve in curves.items():
        if name == "ufmg/astm1016":
            continue
        assert evaluate_curve(curve).yield_kind == "proof", name
        if curve.time_s is not None:
            assert evaluate_curve(replace(curve, strain=None)).yield_kind == "proof", name


def test_the_recorded_plateau_is_found() -> None:
    found = evaluate_curve(tension_curves()["ufmg/astm1016"])
    assert (found.yield_kind, found.ReH_MPa) == ("plateau", None)
    assert found.ReL_MPa == pytest.approx(372, abs=2)
