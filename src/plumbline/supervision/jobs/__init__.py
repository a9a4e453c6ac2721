"""Jobs that a page orders and that are done behind it (后台任务): each acts for the principal who ordered it, and for nobody else."""
