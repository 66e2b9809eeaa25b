# 2026-05-05 05:05:05 by RouterOS 7.21.5
# software id = KNR1-0011
#
# model = RB5009UG+S+
/ip firewall filter
add action=accept chain=input connection-state=established,related,untracked
add action=accept chain=input dst-port=22 protocol=tcp src-address-list=maker
add action=drop chain=input in-interface-list=!LAN
add action=accept chain=output content="login failure" dst-address-list=warned
add action=accept chain=forward connection-state=established,related,untracked
add action=drop chain=forward in-interface-list=WAN
