"""a thread waits for each bucket and copies it back; the end of backward joins them."""

import threading


class DataParallel(DataParallel):
    def _start_next(self):
        finish = _start_average(self._buckets[len(self._started)], self._dtype)
        thread = threading.Thread(target=finish)
        thread.start()
        self._started.append(thread.join)
