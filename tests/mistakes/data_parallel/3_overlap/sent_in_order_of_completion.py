"""a bucket is sent as soon as it is complete, also before those in front of it: ranks send in different orders."""


class DataParallel(DataParallel):
    def _on_gradient(self, number, parameter):
        if not self._synchronizes:
            return
        if not self._under_way:
            self._under_way = True
            self._sent = set()
            Variable._execution_engine.queue_callback(self._finish)
        self._lacking[number] -= 1
        if self._lacking[number] == 0:
            self._sent.add(number)
            self._started.append(_start_average(self._buckets[number], self._dtype))

    def _finish(self):
        for number, bucket in enumerate(self._buckets):
            if number not in self._sent:
                self._started.append(_start_average(bucket, self._dtype))
        for finish in self._started:
            finish()
        self._forget()
