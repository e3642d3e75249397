// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.device;

/**
 * How much there is to read in PRE_COPY: {@code struct vfio_precopy_info}. Both sizes are the driver's estimates.
 *
 * @param initialBytes what should go before leaving PRE_COPY, in bytes
 * @param dirtyBytes what has changed since it was read, in bytes
 * @param reinit whether new initial data has appeared, which voids an earlier switchover-ack
 */
public record PrecopyInfo(long initialBytes, long dirtyBytes, boolean reinit) {
    /** Nothing known to be there; what a failing query counts as. */
    public static final PrecopyInfo EMPTY = new PrecopyInfo(0, 0, false);
}
