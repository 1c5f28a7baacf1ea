"""What TensorBoard shows of a study: scalars, schedules and the table of hyperparameters, from records.

    out/tensorboard/events.out.tfevents.pbtbench                        what the HPARAMS tab has columns for
    out/tensorboard/<run id>/<member>/events.out.tfevents.pbtbench      a member: its scores and schedules
    out/tensorboard/<run id>/<member>/problem/…                         what the problem wrote by `tf.summary`

`events` makes a member's events of rows of a record, `files` writes those of kept runs, `live` those of a run
while it goes on. All of it is made by TensorBoard's own package, and without TensorFlow.
"""
