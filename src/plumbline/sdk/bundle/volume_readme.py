"""VOLUME.txt of a volume (合订案卷包说明): the same text in every volume, so that nobody can put another one in its place."""

from __future__ import annotations

README_TEXT = """准绳合订案卷包（第 1 版）
========================

这是一个工程或一个年度的全部检测报告和它们的证据：每份报告的 PDF，从合同到登记的每一条消息、信封和存证回执。
多份报告共用的条目、密钥、检查点、联署和时间戳只存一份。核验不需要联网，也不需要相信出具这个包的人。

怎样核验（请用下载时的原文件，不要解开后重新打包）
  plumbline verify 案卷包.zip --trust trust.txt --trust 根证书
  只看一份：加 --report 监管码或报告编号。
  trust.txt 是您自己从平台公布的地方取得的日志公钥、发码公钥和联署方公钥；根证书是您自己信任的电子认证机构的根。
  绝不要用随包一起收到的公钥或根证书。

核验能证明什么
  对每一份报告：与单份报告包相同，每条消息何时入账、由谁签名、此后一个字节没有改过，PDF 就是登记的那一份；
  它在包里写明的日志位置是什么状态：已登记、已撤回、已被新版替代、只发了码、暂不发放；
  各检查点属于同一个日志，没有分叉；谁联署过；
  平台声明（volume.sig）过：截至这个日志位置，这个范围里平台知道的报告都列在清单里。少一份、换一份、对调两份都会指出来。

核验不能证明什么
  平台有没有在声明之前就漏报：清单以外有没有报告，只有平台的声明作保；
  没有平台声明的包，整份拿掉看不出来；
  报告在这个日志位置以后有没有撤回或换版，要联网查监管码；手里的纸与登记的是否一致，要逐项核对；
  材料合不合格、试验做得对不对。

没有随包的文件在各份报告里逐一写明原因。条目里没有个人信息，人员只有编号；
报告 PDF 是原件，上面印着的姓名照原样。已销毁的个人信息写明何时销毁。


Plumbline volume (version 1)
============================

All test reports of a project or of a year with their evidence: the PDF of each and, from contract to registration, every message, its
envelope and its receipt. What several reports share is stored once. It is verified offline and without trust in whoever handed it over.

How to verify (use the file as downloaded; do not unpack and pack it anew)
  plumbline verify volume.zip --trust trust.txt --trust root-certificate
  One report alone: add --report with its code or number.
  trust.txt holds public keys that you obtained yourself; never use keys or roots that came together with the volume.

What it proves
  For each report, what a report bundle proves; how it stood at the place of the log that the volume states; that all checkpoints are of one
  log without fork, and who cosigned; that the platform stated (volume.sig) that the list holds every report of that scope that it knew.

What it does not prove
  That the platform knew of no other report: for that there is its statement only; without a statement a report that was taken out goes
  unnoticed. That no report was withdrawn or replaced later: ask online. That paper agrees; that the material is sound.

Every file that is not in the volume is listed with the reason. Entries hold no personal data, people appear by
number only; the PDFs are the originals and show the names printed on them.
"""

README_BYTES = README_TEXT.encode()
