// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.testing;

import io.vfio4j.ffm.LibC;

/** The real system calls, for a test that answers some of them itself. */
public class ForwardingLibC extends io.vfio4j.ffm.ForwardingLibC {
    /** Makes them. */
    public ForwardingLibC() {
        super(LibC.system());
    }
}
