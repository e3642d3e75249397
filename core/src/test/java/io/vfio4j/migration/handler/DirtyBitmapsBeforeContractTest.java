// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.migration.handler;

/** The same bitmaps, whose bits go while all is stopped. */
class DirtyBitmapsBeforeContractTest extends DirtyBitmapsContractTest {
    @Override
    DirtyBitmapsHandler.When when() {
        return DirtyBitmapsHandler.When.BEFORE_SWITCHOVER;
    }
}
