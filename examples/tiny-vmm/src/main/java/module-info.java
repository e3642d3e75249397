// SPDX-License-Identifier: Apache-2.0
import org.jspecify.annotations.NullMarked;

/** A virtual machine monitor on KVM that migrates its guest: an example to copy from. */
@NullMarked
module io.vfio4j.tinyvmm {
    requires static org.jspecify;
    requires info.picocli;
    requires io.vfio4j.core;
    requires io.vfio4j.emulator;

    // picocli fills the commands' fields.
    opens io.vfio4j.tinyvmm to
            info.picocli;
}
