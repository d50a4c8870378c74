"""What each Python process of the cloud does first (https://docs.python.org/3/library/site.html).

To start an OpenStack service is to import it: a hundred thousand objects that stay. With Python's
own threshold a sixth of that time goes into looking through them for garbage.
"""

import gc

gc.set_threshold(50_000, 10, 10)
