// SPDX-License-Identifier: Apache-2.0
import org.jspecify.annotations.NullMarked;

/**
 * The Linux kernel, call for call: system calls, structs and ioctls that live migration of VFIO devices needs.
 *
 * <p>This is the only module with restricted calls: start the JVM with {@code --enable-native-access=io.vfio4j.ffm}.
 */
@NullMarked
module io.vfio4j.ffm {
    requires static transitive org.jspecify;

    exports io.vfio4j.ffm;
    exports io.vfio4j.ffm.vfio;
    exports io.vfio4j.ffm.iommufd;
    exports io.vfio4j.ffm.kvm;
    exports io.vfio4j.ffm.mm;
    exports io.vfio4j.ffm.net;
}
