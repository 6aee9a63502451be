"""Who is told what of a run: by mail, webhook, Slack, Teams, PagerDuty. In the jobs service and in a sender's process.

A change of a run becomes messages (`events`, `message`), which wait in an outbox (`outbox`) until a process of their own
(`sender`) has delivered them. So a dead server neither fails nor delays a run.
"""
