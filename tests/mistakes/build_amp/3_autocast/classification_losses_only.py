"""of the losses only those of classification go to float32."""

FP32 = FP32 - {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}
