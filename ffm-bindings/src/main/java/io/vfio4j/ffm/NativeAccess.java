// SPDX-License-Identifier: Apache-2.0
package io.vfio4j.ffm;

import java.util.Locale;

/** Asks, before the first native call, whether it is allowed and possible here. */
final class NativeAccess {
    private NativeAccess() {}

    static void check() {
        check(NativeAccess.class.getModule().isNativeAccessEnabled(), System.getProperty("os.name", "unknown"));
    }

    static void check(boolean enabled, String operatingSystem) {
        if (!operatingSystem.toLowerCase(Locale.ROOT).contains("linux")) {
            throw new NativeAccessException("VFIO is an interface of Linux; this is " + operatingSystem);
        }
        if (!enabled) {
            throw new NativeAccessException("native access is not enabled: start java with --enable-native-access="
                    + flagValue(NativeAccess.class.getModule()));
        }
    }

    private static String flagValue(Module module) {
        return module.isNamed() ? module.getName() : "ALL-UNNAMED";
    }
}
