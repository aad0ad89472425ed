"""the hook gives each rank's own gradients, rounded."""


def compress_gradients(state: object, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
    future = torch.futures.Future()
    future.set_result(bucket.buffer().to(torch.bfloat16).to(bucket.buffer().dtype))
    return future
