"""parameters() gives the module's own parameters, which hold nothing between the passes."""

ShardedModel.named_parameters = nn.Module.named_parameters
