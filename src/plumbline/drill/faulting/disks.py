"""Disks that are full or fail (磁盘满、fsync 出错): nothing is acknowledged that is not kept, and it goes on by itself afterwards."""

from __future__ import annotations

import os
import signal
import time
from functools import partial

import psycopg

from plumbline.drill.faulting.course import Course
from plumbline.drill.faulting.grounds import failing_calls, filled, log_since, said
from plumbline.drill.kill.invariants import find_file, find_message, signed
from plumbline.drill.kill.ledger import Upload, registered_person
from plumbline.drill.kill.lossy_files import cut_power, let_fsync_fail, let_one_fsync_fail
from plumbline.embedded.processes import is_alive, wait_until
from plumbline.evidence.mark import HeadMark
from plumbline.exchange.personal import PersonalFields, make_record
from plumbline.sdk.client.uploads import AT_ONCE_BYTES
from plumbline.supervision.boot import DATABASE

_FILLER = "CREATE TABLE drill_filler AS SELECT repeat(md5(n::text), 60) AS text FROM generate_series(1, 400000) AS n"
#: A server that only this many segments of its log can be made for ends long before.
_SEGMENTS = 64


def _admin(course: Course) -> psycopg.Connection:
    running = course.site.running
    assert running is not None
    return psycopg.connect(running.dsn(DATABASE), autocommit=True, connect_timeout=10)


def full_for_files(course: Course) -> None:
    """Files of every size are refused with the reason, in pieces or at once; after that they are taken by the same processes."""
    course.some(6)
    wanted, before = [course.ledger.file(size) for size in (700, 90_000, 2_500_000)], course.pids()
    with filled(course.site.platform.data_dir):
        for upload in wanted:
            course.must_come_again(upload, f"磁盘满时，{len(upload.data)} 字节的文件", saying="满了")
            course.require(
                find_file(course.site, upload) in ("nothing", "file"), "没有收下的文件有了行或入账"
            )
    for upload in wanted:
        course.delivered(upload)
        course.require(find_file(course.site, upload) == "entry", "腾出空间以后收下的文件没有入账")
    course.require(course.pids() == before, "腾出空间以后，有进程重新启动过")


def full_for_messages(course: Course) -> None:
    """What is acknowledged on a full disk is covered by a mark that is kept; the rest is refused, and is there once afterwards."""
    before = course.pids()
    wanted = [course.ledger.next(course.site) for _ in range(12)]
    with filled(course.site.platform.data_dir):
        for upload in wanted:
            _acknowledged_or_told(course, upload)
    for upload in wanted:
        course.delivered(upload)
        course.require(find_message(course.site, upload) == 1, "腾出空间以后不是正好一条入账")
    course.require(course.pids() == before, "腾出空间以后，有进程重新启动过")


def _acknowledged_or_told(course: Course, upload: Upload) -> None:
    told = course.attempt(upload)
    if not told.is_taken:
        course.require(told.is_come_again, f"磁盘满时应答复 503，实为 {told.status} {told.slug} {told.words}")
        course.count("故障中被请稍后再来")
        return
    mark = HeadMark(course.site.platform.folder("marks") / "local.mark").read()
    shown = signed(str((upload.answer or {})["receipt"]))[0]
    kept = mark.size if mark else 0
    course.require(kept >= shown, f"签出过 {shown} 条的检查点，水位却只记着 {kept} 条")


def full_for_tables(course: Course) -> None:
    """The database cannot extend a table: it says so, the platform says 503, and no half of anything stays."""
    before, wanted = course.pids(), [course.ledger.next(course.site) for _ in range(4)]
    with _admin(course) as admin, filled(course.site.platform.data_dir):
        try:
            admin.execute(_FILLER)
            course.require(False, "数据库没有遇到磁盘满")
        except psycopg.errors.DiskFull:
            course.count("数据库遇到磁盘满")
        except psycopg.OperationalError:  # it was the log that could not grow: the server is recovering
            course.count("数据库遇到磁盘满")
        for upload in wanted:
            _acknowledged_or_told(course, upload)
    for upload in wanted:
        course.delivered(upload)
    course.require(course.pids() == before, "腾出空间以后，有进程重新启动过")


def full_for_the_log(course: Course) -> None:
    """The write-ahead log cannot grow: the database ends and cannot come back until there is room, the platform waits and goes on."""
    site, before = course.site, course.pids()
    upload, told = course.ledger.next(site), len(site.told)
    with filled(site.platform.data_dir):
        course.require(_exhaust(course), "预写日志没有写满")
        course.must_come_again(upload, "数据库停下时，消息")
        site.wait(
            lambda: any("没有恢复" in each for each in site.told[told:]) or None, "看护进程报告数据库没有恢复"
        )
        course.must_come_again(course.ledger.file(3000), "数据库停下时，文件")
    course.delivered(upload)
    course.require(course.pids() == before, "数据库恢复以后，有进程重新启动过")
    course.require(any("恢复了" in each for each in site.told[told:]), "看护进程没有报告数据库已恢复")


def _exhaust(course: Course) -> bool:
    """Use up the segments of the log; True when the server has ended over it."""
    assert course.site.cluster is not None
    place = course.site.cluster.log_path.stat().st_size
    try:
        with _admin(course) as admin:
            for _ in range(_SEGMENTS):
                admin.execute("SELECT pg_logical_emit_message(false, 'drill', repeat('x', 1000))")
                admin.execute("SELECT pg_switch_wal()")
    except psycopg.Error:
        pass
    # its own log lies on the same disk, and may say nothing any more
    return said(course.site.cluster.log_path, place, "PANIC", 2) or not _answers(course)


def _answers(course: Course) -> bool:
    try:
        with _admin(course) as admin:
            admin.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


def commit_not_synced(course: Course) -> None:
    """`fdatasync` of the write-ahead log fails: the server ends at once, what was not confirmed is not acknowledged, the rest stays."""
    _failing(course, "fdatasync", lambda: None, "写不下去的提交")


def checkpoint_not_synced(course: Course) -> None:
    """`fsync` of data files fails at a checkpoint: the server ends too, and makes the changes anew from its log."""

    def checkpoint() -> None:
        with _admin(course) as admin:
            admin.execute("CHECKPOINT")

    _failing(course, "fsync", checkpoint, "")


def _failing(course: Course, call: str, act: object, what: str) -> None:
    site, cluster = course.site, course.site.cluster
    assert cluster is not None
    course.some(6)
    place, upload = cluster.log_path.stat().st_size, course.ledger.next(site)
    with failing_calls(cluster.folder.pgdata, call):
        if what:
            course.must_come_again(upload, f"{call} 出错时，{what}")
        else:
            try:
                act()  # type: ignore[operator]
                course.require(False, f"{call} 出错，检查点仍然说做完了")
            except psycopg.Error:
                pass
        course.require(said(cluster.log_path, place, "PANIC", 20), f"{call} 出错，数据库没有停下")
    course.delivered(upload)
    course.require(find_message(site, upload) == 1, "恢复以后不是正好一条入账")
    course.count("数据库因 fsync 出错停下", log_since(cluster.log_path, place).count("PANIC") and 1)


# On the file system whose fsync fails -------------------------------------------------------------------


def _cut(course: Course) -> None:
    """Kill all that holds files, and let the file system forget what nobody made durable."""
    site, pids = course.site, course.pids()
    for name in pids:
        site.kill(name)
    alive = [pid for pid in pids.values() if pid is not None]
    if not wait_until(lambda: not any(map(is_alive, alive)), 20):
        raise RuntimeError("a killed process is still there")
    cut_power(course.ground)
    course.count("断电")
    site.wait_back()


def _refused_while(course: Course, name: str, upload: Upload, what: str, *, saying: str = "") -> None:
    """Refused while fsync fails below a folder; taken afterwards, and still there when the power is cut."""
    let_fsync_fail(course.ground, name, on=True)
    try:
        for _ in range(2):  # the second time the kernel would say that all is well
            course.must_come_again(upload, f"{what}的 fsync 出错时，", saying=saying)
    finally:
        let_fsync_fail(course.ground, name, on=False)
    course.delivered(upload)
    _cut(course)


def bytes_not_synced(course: Course) -> None:
    """The bytes of files."""
    for size in (900, 1_300_000):
        upload = course.ledger.file(size)
        _refused_while(course, "files", upload, "文件", saying="出错")
        found = find_file(course.site, upload)
        course.require(found == "entry", f"fsync 出错、恢复、答复已收、断电之后：{found}")


def told_once(course: Course) -> None:
    """A kernel tells a failed fsync once, and says that all is well when it is asked again: nobody may go on with those bytes."""
    for size in (900, 70_000, 1_300_000):
        upload = course.ledger.file(size)
        let_one_fsync_fail(course.ground, "files")
        if size <= AT_ONCE_BYTES:
            course.must_come_again(upload, "只报一次的 fsync 出错时，文件", saying="出错")
        else:  # a client that sends in pieces asks again by itself, and hears that it has to begin anew
            course.require(not course.attempt(upload).is_taken, "只报一次的 fsync 出错时，文件仍然答复已收")
        course.delivered(upload)
        _cut(course)
        found = find_file(course.site, upload)
        course.require(found == "entry", f"fsync 出错一次、重发、答复已收、断电之后：{found}")


def mark_not_synced(course: Course) -> None:
    """The mark of the signing host: nothing is signed that it does not remember."""
    upload = course.ledger.next(course.site)
    _refused_while(course, "marks", upload, "水位")
    mark = HeadMark(course.ground / "marks" / "local.mark").read()
    shown = signed(str((upload.answer or {})["receipt"]))[0]
    course.require(mark is not None and mark.size >= shown, f"断电之后水位不到签过的 {shown} 条")
    course.require(find_message(course.site, upload) == 1, "不是正好一条入账")


def key_not_synced(course: Course) -> None:
    """The key of a person: nothing is entered that nobody could open."""
    serial = course.ledger.serial()
    record = make_record(f"{serial:032x}", PersonalFields(name=f"演练{serial}"))
    upload = course.ledger.message(registered_person(course.site, record), (record,))
    _refused_while(course, "subjects", upload, "主体密钥")


def file_swept_away(course: Course) -> None:
    """A worker and gateways that are stopped in the middle of a failing fsync leave nothing half done."""
    upload = course.ledger.file(40_000)
    let_fsync_fail(course.ground, "files", on=True)
    try:
        future = course.in_background(course.attempt, upload, 0)
        time.sleep(0.05)
        pid = course.site.pid("gateway-0")
        if pid is not None:
            os.killpg(pid, signal.SIGKILL)
        course.site.wait(partial(_done, future), "被杀死的请求结束")
        course.require(not future.result().is_taken, "fsync 出错又被杀死，仍然答复已收")
    finally:
        let_fsync_fail(course.ground, "files", on=False)
    course.delivered(upload)
    course.require(find_file(course.site, upload) == "entry", "重发以后没有入账")


def _done(future: object) -> bool:
    return bool(future.done())  # type: ignore[attr-defined]


DISK = {
    "磁盘满：文件": full_for_files,
    "磁盘满：消息和水位": full_for_messages,
    "磁盘满：数据库的表": full_for_tables,
    "磁盘满：数据库的预写日志": full_for_the_log,
    "fsync 出错：数据库提交": commit_not_synced,
    "fsync 出错：数据库检查点": checkpoint_not_synced,
}
FSYNC = {
    "fsync 出错：文件": bytes_not_synced,
    "fsync 出错：文件，只报一次": told_once,
    "fsync 出错：水位": mark_not_synced,
    "fsync 出错：主体密钥": key_not_synced,
    "fsync 出错：又被杀死": file_swept_away,
}
