"""README.txt of a report bundle (报告包说明): the same text in every bundle, so that nobody can put another one in its place."""

from __future__ import annotations

README_TEXT = """准绳报告包（第 1 版）
====================

这是一份检测报告和它的全部证据：报告 PDF，从合同到登记的每一条消息、信封和存证回执。
核验不需要联网，也不需要相信出具这个包的人。

怎样核验
  plumbline verify 报告包.zip --trust trust.txt --trust 根证书
  trust.txt 是您自己从平台公布的地方取得的日志公钥和发码公钥；根证书是您自己信任的电子认证机构的根。
  绝不要用随包一起收到的公钥或根证书。

核验能证明什么
  每条消息在写明的时间已经入账，此后一个字节也没有改过；
  每条消息由谁签名（对称签名和平台代录不能向第三方证明是对方所为，核验时会写明）；
  报告、编号、试验、样品、委托、合同是同一件事；PDF 就是登记的那一份，由出报告的机构签章。

核验不能证明什么
  报告后来有没有撤回或换版：这要联网查监管码；
  手里的纸与登记的报告是否一致：这要逐项核对；
  签名密钥后来有没有停用；没有平台齐全声明（manifest.sig）的包，缺了哪一条看不出来；
  材料合不合格、试验做得对不对。
  所以离线的结论从不是“真”。

记录里没有人的姓名和号码：人员只有编号。报告 PDF 上印着的姓名（检测、审核、批准等）照原样在里面，转交时请留意。
影像只带不拍人的几种，其余只列摘要。


Plumbline report bundle (version 1)
===================================

A test report with all its evidence: the report PDF and, from contract to registration, every message, its
envelope and its receipt. It is verified offline and without trust in whoever handed it over.

How to verify
  plumbline verify bundle.zip --trust trust.txt --trust root-certificate
  trust.txt holds the log's and the code issuer's public keys that you obtained yourself; the root is one of a
  certification service that you trust. Never use keys or roots that came together with the bundle.

What it proves
  Each message was in the log at the stated time and no byte of it has changed since; who signed each message
  (symmetric signatures and records made by the platform prove nothing about the sender, and are named as such);
  report, number, tests, samples, commission and contract belong together; the PDF is the registered one, signed
  by the issuing institution.

What it does not prove
  That the report was not withdrawn or replaced later: ask online. That paper agrees with the registered report:
  compare. That no signing key was revoked later; without the platform's statement (manifest.sig) a missing entry
  cannot be noticed. That the material is sound or the test was done well.
  So the offline verdict is never "genuine".

The records hold no names or numbers of people, who appear by id only. The names printed on the report PDF
(tested, reviewed, approved by) are in it as they are: mind whom you hand it to.
"""

README_BYTES = README_TEXT.encode()
